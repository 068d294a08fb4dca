/* deepbind.c PLUGIN - runs a plugin of RTLD_DEEPBIND. Exits 0 when it could, and no block of this
 * program's malloc was lost.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    void *plugin = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND) : NULL;
    int (*run)(void) = NULL;
    if (plugin == NULL) {
        printf("%s\n", dlerror());
        return 9;
    }
    *(void **)&run = dlsym(plugin, "plugin_run");
    size_t before = mallinfo2().uordblks;
    int result = run();
    size_t after = mallinfo2().uordblks;
    printf("the plugin says %d, the heap grew by %td\n", result, (ptrdiff_t)(after - before));
    return result != 0 ? result : after - before > 100000;
}
