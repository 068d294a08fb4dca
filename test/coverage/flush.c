/* flush.c - part of the library and of the command in the coverage build: counts are kept also of
 * processes that end by _exit or abort, as children and victims do. The library has an _exit of its
 * own, which ends in os_exit.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

extern void __gcov_dump(void); // of gcc's own library

typedef void exit_fn(int status);
typedef void abort_fn(void);

static abort_fn *g_abort;

#ifdef OF_LIBRARY
extern exit_fn __real_os_exit; // the linker's name for what it wraps

_Noreturn void __wrap_os_exit(int status)
{
    __gcov_dump();
    __real_os_exit(status);
    __builtin_unreachable();
}
#else
static exit_fn *g_exit;

EXPORT _Noreturn void _exit(int status)
{
    __gcov_dump();
    g_exit(status);
    __builtin_unreachable();
}
#endif

EXPORT _Noreturn void abort(void)
{
    __gcov_dump();
    g_abort();
    __builtin_unreachable();
}

__attribute__((constructor)) static void look_up(void)
{
#ifndef OF_LIBRARY
    *(void **)&g_exit = dlsym(RTLD_NEXT, "_exit");
#endif
    *(void **)&g_abort = dlsym(RTLD_NEXT, "abort");
}
