/* caller.c - a library whose own RUNPATH leads to strdup_plugin.so: dlopen must see it as caller.
 */
#include <dlfcn.h>
#include <stddef.h>

void *caller_open(const char *name, int flags);

void *caller_open(const char *name, int flags)
{
    void *volatile handle = dlopen(name, flags);
    return handle;
}
