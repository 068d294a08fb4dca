/* test_sampled.c - which block is the one in N. */
#include "sampling/sampled.h"
#include "base/os.h"
#include "core/slot.h"
#include "pages/span.h"
#include "sampling/guard.h"

#include <criterion/criterion.h>

static void start_with(uint64_t every)
{
    cr_assert(span_start(true));
    cr_assert(slot_start(SLOT_AUTO));
    guard_start(every);
}

static unsigned samples_of(unsigned requests, size_t bytes)
{
    unsigned samples = 0;
    for (unsigned i = 0; i < requests; i++) {
        void *block = sampled_allocate_usual(bytes, NULL);
        if (block != NULL && guard_is_inside(block)) {
            samples++;
            cr_assert(sampled_free_usual(block, NULL));
        }
    }
    return samples;
}

/* SAMPLED-1 */
Test(sampled, as_many_as_asked_for_are_sampled)
{
    start_with(50);
    unsigned samples = samples_of(100000, 100);
    cr_assert_gt(samples, 1700);
    cr_assert_lt(samples, 2300);
}

/* SAMPLED-1: a size that is never sampled would hide its mistakes for ever. */
Test(sampled, small_and_long_blocks_are_sampled_alike)
{
    start_with(10);
    unsigned small = samples_of(20000, 8);
    unsigned longer = samples_of(20000, 4000);
    cr_assert_gt(small, longer * 8 / 10);
    cr_assert_lt(small, longer * 12 / 10);
}

Test(sampled, what_is_longer_than_a_page_is_not)
{
    start_with(1);
    cr_assert_eq(samples_of(1000, os_page_bytes() + 1), 0);
}
