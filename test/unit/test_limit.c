/* test_limit.c - from how many bytes on a block has a mapping of its own. */
#include "pages/limit.h"
#include "base/config.h"

#include <criterion/criterion.h>

/* LIMIT-1: what a program frees it will ask for again; then the region serves it without a fault.
 */
Test(limit, a_freed_block_raises_a_limit_that_is_not_fixed)
{
    size_t before = limit_bytes();
    cr_assert(limit_raise(before));
    cr_assert_gt(limit_bytes(), before);
    size_t raised = limit_bytes();
    cr_assert(limit_raise(before)); // a shorter one does not lower it
    cr_assert_eq(limit_bytes(), raised);
}

/* LIMIT-1: M_MMAP_THRESHOLD is a promise. */
Test(limit, a_fixed_limit_stays)
{
    limit_set(1 << 20);
    cr_assert_not(limit_raise(2 << 20));
    cr_assert_eq(limit_bytes(), 1 << 20);
}

Test(limit, the_longest_blocks_never_raise_it)
{
    cr_assert_not(limit_raise(LARGE_BYTES_LIMIT));
    cr_assert_leq(limit_bytes(), LARGE_BYTES_LIMIT);
}

// Counts long blocks until there are many (or no more); returns how many.
static size_t count_until(bool has_many, size_t old_bytes, size_t bytes)
{
    size_t count = 0;
    for (; limit_has_many() != has_many; count++) {
        cr_assert_lt(count, 100000);
        limit_count(old_bytes, bytes);
    }
    return count;
}

/* In the region, each of them would take a page of the page map. Few that come and go must not
 * change sides each time. */
Test(limit, many_long_blocks_are_huge_again_until_there_are_few)
{
    cr_assert(limit_raise(2 << 20));
    size_t many = count_until(true, 0, 2 << 20);
    cr_assert_gt(many, CONFIG_TINY ? 1 : 1000);
    cr_assert_not(limit_raise(2 << 20)); // its mapping is kept: the next one is no span
    cr_assert_geq(count_until(false, 2 << 20, 0), many / 2);
    cr_assert(limit_raise(2 << 20));
    cr_assert_geq(count_until(true, 0, 2 << 20), many / 2);
}

/* H10: mappings that do not touch each other are what a process has only 65,530 of. */
Test(limit, too_many_long_blocks_are_not_huge)
{
    count_until(true, 0, 2 << 20);
    cr_assert_leq(count_until(false, 0, 2 << 20), 65530 / 2);
}

Test(limit, long_blocks_alone_are_counted)
{
    for (unsigned i = 0; i < 10000; i++) {
        limit_count(0, HUGE_BYTES_MIN - 1);
        limit_count(2 << 20, HUGE_BYTES_MIN);
    }
    cr_assert_not(limit_has_many());
}

/* LIMIT-1 */
Test(limit, many_long_blocks_leave_a_fixed_limit)
{
    limit_set(4 << 20);
    for (unsigned i = 0; i < 10000; i++) {
        limit_count(0, 2 << 20);
    }
    cr_assert_not(limit_has_many());
}

/* A slab of blocks that should be mappings would break the same promise. */
Test(limit, no_slab_has_blocks_that_are_huge)
{
    limit_set(MEDIUM_BYTES_MAX + 1000);
    cr_assert_lt(limit_slab_bytes(), limit_bytes());
    limit_set(1);
    cr_assert_eq(limit_bytes(), MEDIUM_BYTES_MAX + 1);
    limit_set(SIZE_MAX);
    cr_assert_eq(limit_bytes(), LIMIT_BYTES_MAX);
    cr_assert_eq(limit_slab_bytes(), SLAB_BYTES_MAX);
    limit_set(0);
    cr_assert_lt(limit_slab_bytes(), limit_bytes());
}

Test(limit, the_number_of_mappings_is_as_set)
{
    cr_assert_eq(limit_maps(), MAPS_USUAL);
    limit_set_maps(0);
    cr_assert_eq(limit_maps(), 0);
}
