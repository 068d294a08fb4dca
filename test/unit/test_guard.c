/* test_guard.c - sampled blocks between hidden pages; what a fault says: test/corruption/guard.sh.
 */
#include "sampling/guard.h"
#include "base/config.h"
#include "base/os.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void start(void)
{
    guard_start(1);
    cr_assert_neq(g_guard.start, 0);
}

static bool can_be_read(const void *address)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    bool can = write(ends[1], address, 1) == 1; // EFAULT, no signal
    close(ends[0]);
    close(ends[1]);
    return can;
}

static char *take(size_t bytes, bool at_the_beginning)
{
    return guard_allocate(bytes, at_the_beginning ? 1 : UINT64_MAX, NULL);
}

/* GUARD-1 */
Test(guard, a_page_can_be_read_while_its_block_is_in_use, .init = start)
{
    size_t page = os_page_bytes();
    char *block = take(100, false);
    cr_assert(can_be_read(block));
    cr_assert_eq((size_t)(block + 112) % page, 0); // the next byte but the slack is hidden
    if (MYALLOC_FORCE_PAGE != 0) {
        cr_skip_test("the system hides its own pages");
    }
    cr_assert_not(can_be_read(block + 112));
    guard_free(block, NULL);
    cr_assert_not(can_be_read(block));
    char *other = take(100, true);
    cr_assert_eq((size_t)other % page, 0);
    cr_assert_not(can_be_read(other - 1));
}

/* GUARD-2: who uses a freed block shall be noticed for as long as may be. */
Test(guard, the_page_freed_first_is_used_first, .init = start)
{
    char *blocks[200];
    size_t count = 0;
    while ((blocks[count] = take(16, true)) != NULL) {
        count++;
    }
    cr_assert_gt(count, 3);
    guard_free(blocks[2], NULL);
    guard_free(blocks[0], NULL);
    guard_free(blocks[1], NULL);
    cr_assert_eq(take(16, true), blocks[2]);
    cr_assert_eq(take(16, true), blocks[0]);
    cr_assert_eq(take(16, true), blocks[1]);
    cr_assert_null(take(16, true));
}

Test(guard, what_stands_at_an_address_is_known, .init = start)
{
    size_t bytes = 0;
    char *block = take(40, false);
    cr_assert(guard_is_inside(block));
    cr_assert_not(guard_is_inside(&bytes));
    cr_assert_eq(guard_find(block, &bytes), GUARD_IN_USE);
    cr_assert_eq(bytes, 40);
    cr_assert_eq(guard_find(block + 8, &bytes), GUARD_INTERIOR);
    guard_free(block, NULL);
    cr_assert_eq(guard_find(block, &bytes), GUARD_FREED);
}

Test(guard, blocks_are_zero_again_after_a_free, .init = start)
{
    size_t page = os_page_bytes();
    for (int i = 0; i < 200; i++) {
        char *block = take(page, false);
        cr_assert_not_null(block);
        for (size_t at = 0; at < page; at += 64) {
            cr_assert_eq(block[at], 0);
        }
        memset(block, 1, page);
        guard_free(block, NULL);
    }
}
