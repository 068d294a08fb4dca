/* keeper.c - a plugin that allocates when it is loaded, used and unloaded; what it hands out
 * outlives it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *plugin_make(unsigned seed);

static char *g_loaded;

__attribute__((constructor)) static void load(void)
{
    g_loaded = malloc(3000);
    memset(g_loaded, 5, 3000);
}

__attribute__((destructor)) static void unload(void)
{
    char *last = malloc(40000);
    free(g_loaded);
    free(last);
}

/* Text that libc allocates; the caller frees it, perhaps long after this plugin is gone. */
char *plugin_make(unsigned seed)
{
    char *text = NULL;
    if (asprintf(&text, "text %u with %d", seed, g_loaded[seed % 3000]) < 0) {
        return NULL;
    }
    return text;
}
