/* strdup_plugin.c - a plugin that frees what libc allocated for it, as PHP's modules do. */
#include <stdlib.h>
#include <string.h>

int plugin_run(void);

int plugin_run(void)
{
    char *copy = strdup("allocated inside libc, freed inside the plugin");
    int length = (int)strlen(copy);
    free(copy);
    return length;
}
