/* test_backing.c - the ranges of the file without a name. */
#include "pages/backing.h"

#include "base/lock.h"
#include "base/os.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define BYTES (4UL * 65536)

static char *covered(size_t bytes)
{
    bool clean = false;
    strcpy(g_options.backing, "/dev/shm");
    char *start = os_map_none(bytes);
    cr_assert(start != NULL);
    cr_assert(backing_cover(start, bytes, &clean));
    cr_assert(clean);
    return start;
}

static void uncover(char *start, size_t bytes)
{
    backing_return(start, bytes);
    os_unmap(start, bytes);
}

/* Bytes of the shared mappings of files. */
static size_t shared_bytes(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    size_t start, end, bytes = 0;
    char mode[5], rest[4096];
    cr_assert(maps != NULL);
    while (fscanf(maps, "%zx-%zx %4s%4095[^\n]", &start, &end, mode, rest) == 4) {
        bytes += mode[3] == 's' && strstr(rest, "(deleted)") != NULL ? end - start : 0;
    }
    fclose(maps);
    return bytes;
}

/* BACKING-1: a mapping that is on no list would be one memory for parent and child. */
Test(backing, all_that_is_shared_is_known)
{
    size_t before = shared_bytes();
    char *first = covered(BYTES);
    char *second = covered(2 * BYTES);
    cr_assert_eq(shared_bytes(), before + 3 * BYTES);
    uncover(first, BYTES);
    cr_assert_eq(shared_bytes(), before + 2 * BYTES);
    second = backing_resize(second, 2 * BYTES, 3 * BYTES);
    cr_assert(second != NULL);
    cr_assert_eq(shared_bytes(), before + 3 * BYTES);
    uncover(second, 3 * BYTES);
    cr_assert_eq(shared_bytes(), before);
}

/* A handler of pthread_atfork that allocates would share its block with the child. */
Test(backing, nothing_is_shared_that_is_taken_in_the_middle_of_a_fork)
{
    bool clean;
    uncover(covered(BYTES), BYTES);
    char *start = os_map_none(BYTES);
    lock_open_fork_window();
    cr_assert(!backing_cover(start, BYTES, &clean));
    lock_close_fork_window();
    cr_assert(backing_cover(start, BYTES, &clean));
    uncover(start, BYTES);
}

/* A range that grows over its neighbour would destroy it. */
Test(backing, a_range_grows_only_where_the_file_is_free_behind_it)
{
    char *first = covered(BYTES);
    char *second = covered(BYTES);
    if (madvise(first, BYTES, 12345) == 0) {
        cr_skip_test("qemu-user takes every advice, MADV_REMOVE too, and does nothing");
    }
    memset(first, 1, BYTES);
    memset(second, 2, BYTES);
    cr_assert(backing_resize(first, BYTES, 2 * BYTES) == NULL);
    uncover(second, BYTES);
    first = backing_resize(first, BYTES, 2 * BYTES);
    cr_assert(first != NULL);
    cr_assert(first[BYTES - 1] == 1);
    cr_assert(first[BYTES] == 0);
    memset(first, 3, 2 * BYTES);
    first = backing_resize(first, 2 * BYTES, BYTES);
    cr_assert(first != NULL);
    second = covered(BYTES); /* where the end of the first one was: zero again */
    cr_assert(second[0] == 0);
    cr_assert(first[BYTES - 1] == 3);
    uncover(first, BYTES);
    uncover(second, BYTES);
}
