/* test_dirty.c - which free chunks may be resident, and where the highest of them are. */
#include "pages/dirty.h"
#include "base/bits.h"
#include "pages/page_map.h"

#include <criterion/criterion.h>

enum { CHUNKS = 4096, STEPS = 20000 };

static bool g_dirty[CHUNKS]; // what the bits should say

static void start(void)
{
    cr_assert(page_map_start((uintptr_t)1 << 40));
    cr_assert(page_map_open(CHUNKS));
    page_map_publish(CHUNKS);
}

static size_t exchange(size_t index, size_t length, bool dirty)
{
    size_t were_dirty = 0;
    for (size_t i = index; i < index + length; i++) {
        were_dirty += g_dirty[i];
        g_dirty[i] = dirty;
    }
    return were_dirty;
}

/* One past the highest dirty chunk below `end`; 0: none. */
static size_t highest_below(size_t end)
{
    while (end != 0 && !g_dirty[end - 1]) {
        end--;
    }
    return end;
}

static void check_search(size_t end)
{
    size_t count = 7;
    size_t index = dirty_highest_below(end, &count);
    size_t top = highest_below(end);
    cr_assert_eq(count == 0, top == 0);
    cr_assert_eq(index + count, top);
    cr_assert(count == 0 || dirty_is_all(index, count));
}

Test(dirty, nothing_is_dirty_at_first, .init = start)
{
    cr_assert_eq(dirty_end(), 0);
    cr_assert(dirty_is_none(1, CHUNKS - 1));
    check_search(CHUNKS);
}

/* DIRTY-1, and every search finds the highest run, wherever it begins. */
Test(dirty, bits_and_searches_follow_any_change, .init = start)
{
    uint64_t state = 42;
    for (unsigned step = 0; step < STEPS; step++) {
        size_t index = 1 + xorshift_next(&state) % (CHUNKS - 1);
        size_t length = 1 + xorshift_next(&state) % min_size(CHUNKS - index, 200);
        bool dirty = xorshift_next(&state) % 4 == 0;
        cr_assert_eq(dirty_exchange(index, length, dirty), exchange(index, length, dirty));
        cr_assert(dirty ? dirty_is_all(index, length) : dirty_is_none(index, length));
        check_search(step % 2 == 0 ? CHUNKS : 1 + xorshift_next(&state) % CHUNKS);
        cr_assert_leq(highest_below(CHUNKS), dirty_end());
    }
}

/* The heap has become shorter: else no search would begin at the end any more, and learn. */
Test(dirty, an_end_that_is_cleared_is_the_end_no_more, .init = start)
{
    dirty_exchange(100, 1, true);
    dirty_exchange(2000, 50, true);
    dirty_exchange(1000, 3, false);
    cr_assert_eq(dirty_end(), 2050);
    dirty_exchange(1900, CHUNKS - 1900, false);
    cr_assert_eq(dirty_end(), 1900);
}

/* A heap of gigabytes would be searched from its end by each purge. */
Test(dirty, a_search_learns_where_the_next_one_may_begin, .init = start)
{
    size_t count;
    dirty_exchange(2000, 50, true);
    dirty_exchange(100, 1, true);
    dirty_exchange(2000, 49, false);
    cr_assert_eq(dirty_end(), 2050);
    dirty_exchange(2049, 1, false);
    cr_assert_eq(dirty_end(), 2049);
    cr_assert_eq(dirty_highest_below(50, &count), 0);
    cr_assert_eq(dirty_end(), 2049); // that one knew nothing of what lies above
    cr_assert_eq(dirty_highest_below(CHUNKS, &count), 100);
    cr_assert_eq(dirty_end(), 101);
    dirty_exchange(100, 1, false);
    cr_assert_eq(dirty_highest_below(CHUNKS, &count), 0);
    cr_assert_eq(dirty_end(), 0);
}
