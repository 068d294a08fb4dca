/* test_os.c - system calls: errno is kept, failures come on demand. */
#include "base/os.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BYTES = 1 << 20 };

Test(os, the_page_is_that_of_the_system_or_the_forced_one)
{
    size_t forced = MYALLOC_FORCE_PAGE;
    cr_assert_eq(os_page_bytes(), forced != 0 ? forced : (size_t)sysconf(_SC_PAGESIZE));
}

Test(os, fresh_mappings_are_zero_and_writable)
{
    char *start = os_map(NULL, BYTES);
    cr_assert_not_null(start);
    for (size_t i = 0; i < BYTES; i += 4096) {
        cr_assert_eq(start[i], 0);
        start[i] = 1;
    }
    os_unmap(start, BYTES);
}

/* The tables of the map grow there: each needs room behind it. */
Test(os, places_of_the_hole_are_free_and_far_from_each_other)
{
    char *before = NULL;
    for (unsigned place = 0; place < 8; place++) {
        char *start = os_hole_address(place);
        cr_assert_gt(start - before, (ptrdiff_t)1 << 41);
        cr_assert_eq(os_map_at(start, BYTES), start);
        cr_assert_eq(os_map_at(start + BYTES, BYTES), start + BYTES);
        cr_assert_null(os_map_at(start, BYTES));
        memset(start, 1, 2 * BYTES);
        os_unmap(start, 2 * BYTES);
        before = start;
    }
}

/* True if `bits` of `window` stand somewhere in the bytes that the stack canary comes from. */
static bool is_of_the_seed(uint64_t window, unsigned bits)
{
    uint64_t seed[2];
    memcpy(seed, (const void *)getauxval(AT_RANDOM), sizeof seed);
    bool is_there = false;
    for (unsigned at = 0; at < 2 * (65 - bits); at++) {
        uint64_t differ = (seed[at % 2] >> at / 2) ^ window;
        is_there |= differ << (64 - bits) == 0;
    }
    return is_there;
}

/* The canary must not be known to whoever sees where the tables are, or a number. */
Test(os, numbers_show_nothing_of_their_seed)
{
    unsigned shown = 0;
    for (unsigned place = 0; place < 8; place++) {
        shown += is_of_the_seed((uintptr_t)os_hole_address(place) >> 21 & 0xfffff, 20);
    }
    cr_assert_lt(shown, 5); /* one of them by chance, once in 1,500 runs */
    for (unsigned i = 0; i < 100; i++) {
        cr_assert_not(is_of_the_seed(os_random(), 64));
    }
}

/* calloc relies on it: purged memory is not cleared again. */
Test(os, purged_pages_read_as_zero)
{
    char *start = os_map(NULL, BYTES);
    cr_assert_not_null(start);
    memset(start, 1, BYTES);
    cr_assert(os_purge(start, BYTES));
    for (size_t i = 0; i < BYTES; i++) {
        cr_assert_eq(start[i], 0);
    }
    os_unmap(start, BYTES);
}

/* Older kernels have no marks; then nothing may have changed. */
Test(os, marked_pages_are_hidden_and_come_back_zero)
{
    char *start = os_map(NULL, BYTES);
    cr_assert_not_null(start);
    memset(start, 1, BYTES);
    if (madvise(start, BYTES, 12345) == 0) {
        cr_skip_test("qemu-user takes every advice, and does nothing");
    }
    bool is_hidden = os_mark_hidden(start, BYTES, true);
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], start, 1), is_hidden ? -1 : 1); // EFAULT, no signal
    if (is_hidden) {
        cr_assert(os_mark_hidden(start, BYTES, false));
        cr_assert_eq(start[BYTES / 2], 0);
    }
    os_unmap(start, BYTES);
}

Test(os, a_mapping_at_an_address_is_there_or_nowhere)
{
    char *start = os_map(NULL, BYTES);
    cr_assert_not_null(start);
    cr_assert_null(os_map_at(start, BYTES));
    os_unmap(start, BYTES);
    cr_assert_eq(os_map_at(start, BYTES), start);
    os_unmap(start, BYTES);
}

Test(os, remap_keeps_the_contents)
{
    char *start = os_map(NULL, BYTES);
    cr_assert_not_null(start);
    strcpy(start, "kept");
    char *moved = os_remap(start, BYTES, (size_t)64 * BYTES);
    cr_assert_not_null(moved);
    cr_assert_str_eq(moved, "kept");
    os_unmap(moved, (size_t)64 * BYTES);
}

/* OS-1 */
Test(os, refusals_keep_errno)
{
    errno = 77;
    cr_assert_null(os_map(NULL, (size_t)1 << 62));
    cr_assert_null(os_break_move((intptr_t)1 << 46));
    cr_assert_eq(errno, 77);
}

/* The whole failure-injection suite rests on these three. */
Test(os, the_nth_call_from_now_fails, .disabled = !CONFIG_DEBUG)
{
    os_fail_after(2);
    char *first = os_map(NULL, BYTES);
    cr_assert_not_null(first);
    cr_assert_null(os_map(NULL, BYTES));
    char *third = os_map(NULL, BYTES);
    cr_assert_not_null(third);
    os_unmap(first, BYTES);
    os_unmap(third, BYTES);
}

Test(os, all_calls_fail_from_the_nth_on, .disabled = !CONFIG_DEBUG)
{
    os_fail_after(-2);
    cr_assert_not_null(os_map(NULL, BYTES));
    for (int i = 0; i < 10; i++) {
        cr_assert_null(os_map(NULL, BYTES));
        cr_assert_null(os_break_move(4096));
    }
}

Test(os, zero_ends_the_failures, .disabled = !CONFIG_DEBUG)
{
    os_fail_after(-1);
    cr_assert_null(os_map(NULL, BYTES));
    os_fail_after(0);
    cr_assert_not_null(os_map(NULL, BYTES));
}

Test(os, the_environment_is_found_without_libc)
{
    cr_assert_not_null(os_env("PATH"));
    cr_assert_str_eq(os_env("PATH"), getenv("PATH"));
    cr_assert_null(os_env("PAT"));
    cr_assert_null(os_env("no such variable"));
}
