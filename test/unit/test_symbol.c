/* test_symbol.c - functions of one library, looked up in its own tables. */
#include "base/symbol.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

/* What RDMA stacks patch must be what we call. */
Test(symbol, functions_of_libc_are_those_that_the_linker_finds)
{
    static const char *const names[] = {"munmap",  "madvise", "mremap",     "dlsym",
                                        "fprintf", "abort",   "malloc_trim"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *found = symbol_of_libc(names[i]);
        cr_assert_not_null(found);
        cr_assert_eq(found, dlsym(RTLD_DEFAULT, names[i]), "%s", names[i]);
    }
}

/* SYMBOL-1: these names stand in libc's table, as something that it needs, or as data. */
Test(symbol, what_libc_does_not_define_as_a_function_is_not_found)
{
    cr_assert_null(symbol_of_libc("__tls_get_addr"));
    cr_assert_null(symbol_of_libc("environ"));
    cr_assert_null(symbol_of_libc("munmap2"));
    cr_assert_null(symbol_of_libc("munma"));
    cr_assert_null(symbol_of_libc(""));
}

/* A clock that is off by a second would purge, or not, at the wrong time. */
Test(symbol, the_clock_of_the_kernel_tells_the_time)
{
    int (*read)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))symbol_of_kernel("__vdso_clock_gettime");
    cr_assert_null(symbol_of_kernel("__vdso_clock_gettim"));
    if (read == NULL) { // valgrind hides it
        return;
    }
    struct timespec before;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &before);
    cr_assert_eq(read(CLOCK_MONOTONIC, &now), 0);
    long passed = (now.tv_sec - before.tv_sec) * 1000000000L + now.tv_nsec - before.tv_nsec;
    cr_assert_geq(passed, 0);
    cr_assert_lt(passed, 1000000000L);
}

Test(symbol, the_next_definition_is_behind_the_caller)
{
    cr_assert_eq(symbol_behind(RTLD_NEXT, "malloc"), dlsym(RTLD_NEXT, "malloc"));
    cr_assert_null(symbol_behind(RTLD_NEXT, "no such function"));
}
