/* test_region.c - the range that the heap lives in: growth, shrinking, gaps, strangers. */
#include "pages/region.h"
#include "base/os.h"
#include "pages/page_map.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static void start(void)
{
    cr_assert(region_start(false));
}

static void start_at_break(void)
{
    cr_assert(region_start(true));
    cr_assert_eq(region_stats().kind, REGION_BREAK);
}

static void check_zero_and_use(size_t first, size_t chunks)
{
    char *bytes = page_map_address(first);
    for (size_t i = 0; i < chunks * CHUNK_BYTES; i += 64) {
        cr_assert_eq(bytes[i], 0);
    }
    memset(bytes, 1, chunks * CHUNK_BYTES);
}

static size_t grow(size_t need, size_t wish)
{
    size_t got = 0;
    size_t first = region_grow(need, wish, &got);
    cr_assert_neq(first, 0); // it ends lists
    cr_assert_geq(got, need);
    cr_assert_leq(got, align_up(wish, max_size(1, os_page_bytes() >> CHUNK_SHIFT)));
    cr_assert_eq(page_map_count(), first + got);
    cr_assert_eq(page_map_find(page_map_address(first)), first);
    check_zero_and_use(first, got);
    return first;
}

/* Else free spans at the end could not be joined with what comes. */
Test(region, growth_is_contiguous_and_zero, .init = start)
{
    size_t first = grow(4, 8);
    for (unsigned i = 1; i < 20; i++) {
        cr_assert_eq(grow(8, 8), first + 8 * i);
    }
    cr_assert_eq(region_stats().map_bytes, 160 * CHUNK_BYTES);
    cr_assert_eq(region_stats().grows, 20);
}

Test(region, the_break_grows_to_whole_chunks, .init = start_at_break)
{
    size_t first = grow(5, 5);
    cr_assert_eq((uintptr_t)page_map_address(first) % CHUNK_BYTES, 0);
    cr_assert_eq((uintptr_t)sbrk(0), (uintptr_t)page_map_address(first + 5));
}

/* Limits are met exactly before anything fails. */
Test(region, a_refused_wish_is_halved_down_to_the_need, .init = start)
{
    size_t got = 0;
    grow(8, 8);
    os_fail_after(1);
    cr_assert_neq(region_grow(8, 64, &got), 0);
    os_fail_after(0);
    cr_assert_eq(got, 32);
    os_fail_after(-1);
    size_t count = page_map_count();
    cr_assert_eq(region_grow(8, 64, &got), 0);
    os_fail_after(0);
    cr_assert_eq(page_map_count(), count);
}

/* A stranger's next sbrk(-n) must not cut into our heap. */
Test(region, a_moved_break_is_left_for_mappings_at_a_distance, .init = start_at_break)
{
    size_t first = grow(8, 8);
    cr_assert_neq((intptr_t)sbrk(100000), -1);
    cr_assert_not(region_shrink(first)); // it would cut into theirs
    cr_assert_eq(page_map_count(), first + 8);
    size_t next = grow(8, 8);
    cr_assert_eq(region_stats().kind, REGION_MAPS);
    cr_assert_gt(region_stats().foreign, 0);
    cr_assert_geq((uintptr_t)page_map_address(next), (uintptr_t)sbrk(0) + GROW_GAP_BYTES);
    for (size_t i = first + 8; i < next; i++) {
        cr_assert_eq(chunk_state(page_map_entry(i)), CHUNK_NONE);
    }
}

Test(region, what_was_cut_off_is_not_found_and_comes_again, .init = start)
{
    size_t first = grow(32, 32);
    cr_assert(region_shrink(first + 16));
    cr_assert_eq(page_map_count(), first + 16);
    cr_assert_eq(page_map_find(page_map_address(first + 16)), 0);
    cr_assert_not(region_shrink(first + 16)); // nothing is there
    cr_assert_eq(grow(8, 8), first + 16);
}

/* REGION-2 */
Test(region, the_break_goes_down_with_its_end, .init = start_at_break)
{
    size_t first = grow(32, 32);
    cr_assert(region_shrink(first + 16));
    cr_assert_eq((uintptr_t)sbrk(0), (uintptr_t)page_map_address(first + 16));
    cr_assert_eq(region_stats().shrinks, 1);
}

/* ---- gaps ---- */

/* Else the heap, and the tables with it, would grow with every shortage. */
Test(region, a_gap_is_filled_from_its_beginning_and_is_zero, .init = start)
{
    size_t got = 0;
    size_t first = grow(64, 64);
    region_punch(first + 16, 32);
    cr_assert_eq(region_fill(33, 100, &got), 0);
    cr_assert_eq(region_fill(8, 16, &got), first + 16);
    cr_assert_eq(got, 16);
    check_zero_and_use(first + 16, 16);
    cr_assert_eq(region_fill(8, 100, &got), first + 32);
    cr_assert_eq(got, 16);
    check_zero_and_use(first + 32, 16);
    cr_assert_eq(region_fill(1, 1, &got), 0);
}

/* Three gaps side by side are one that is long enough. */
Test(region, gaps_beside_each_other_are_joined, .init = start)
{
    size_t got = 0;
    size_t first = grow(64, 64);
    region_punch(first + 8, 8);
    region_punch(first + 24, 8);
    cr_assert_eq(region_fill(9, 9, &got), 0);
    region_punch(first + 16, 8);
    cr_assert_eq(region_fill(24, 24, &got), first + 8);
    cr_assert_eq(got, 24);
}

/* It is nobody's then: somebody else may map there. */
Test(region, gaps_behind_the_end_are_forgotten, .init = start)
{
    size_t got = 0;
    size_t first = grow(64, 64);
    region_punch(first + 32, 16);
    cr_assert(region_shrink(first + 16));
    cr_assert_eq(region_fill(1, 16, &got), 0);
}

Test(region, a_gap_that_cannot_be_mapped_stays_a_gap, .init = start)
{
    size_t got = 0;
    size_t first = grow(64, 64);
    region_punch(first + 16, 16);
    os_fail_after(-1);
    cr_assert_eq(region_fill(8, 16, &got), 0);
    os_fail_after(0);
    cr_assert_eq(region_fill(16, 16, &got), first + 16);
}
