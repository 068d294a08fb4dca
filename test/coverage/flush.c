/* flush.c - part of the library in the coverage build: counts are kept also of processes that end
 * by _exit or abort, as children and victims do. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

extern void __gcov_dump(void); // of gcc's own library

typedef void exit_fn(int status);
typedef void abort_fn(void);

static exit_fn *g_exit;
static abort_fn *g_abort;

__attribute__((constructor)) static void look_up(void)
{
    *(void **)&g_exit = dlsym(RTLD_NEXT, "_exit");
    *(void **)&g_abort = dlsym(RTLD_NEXT, "abort");
}

EXPORT _Noreturn void _exit(int status)
{
    __gcov_dump();
    g_exit(status);
    __builtin_unreachable();
}

EXPORT _Noreturn void abort(void)
{
    __gcov_dump();
    g_abort();
    __builtin_unreachable();
}
