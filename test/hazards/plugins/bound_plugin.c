/* bound_plugin.c - a plugin that brings an allocator of its own, opened with RTLD_DEEPBIND by a
 * program that has another one. What libc gives it is that one's.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

int plugin_run(void);

enum { ROUNDS = 20000, BYTES = 200 };

int plugin_run(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        char *copy = strdup("allocated inside libc, moved and freed inside the plugin");
        if (malloc_usable_size(copy) < strlen(copy)) {
            return 1;
        }
        copy = realloc(copy, BYTES);
        if (copy == NULL || strlen(copy) < 50) {
            return 2;
        }
        free(copy);
        char *own = malloc(BYTES);
        memset(own, 1, BYTES);
        free(own);
    }
    return 0;
}
