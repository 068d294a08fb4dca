/* test_sites.c - stacks and what they hold. */
#include "profile/sites.h"

#include <criterion/criterion.h>

static const void *const g_frames[] = {"a", "b", "c"};

/* Two stacks that were taken for one would blame the wrong caller. */
Test(sites, each_stack_has_a_number_of_its_own)
{
    cr_assert(sites_start());
    uint32_t abc = sites_find(g_frames, 3);
    uint32_t ab = sites_find(g_frames, 2);
    cr_assert_neq(abc, 0);
    cr_assert_neq(ab, 0);
    cr_assert_neq(abc, ab);
    cr_assert_eq(sites_find(g_frames, 3), abc);
    cr_assert_eq(sites_at(abc)->frame_count, 3);
    cr_assert_arr_eq(sites_at(abc)->frames, g_frames, sizeof g_frames);
}

/* What was held when the sum was highest, although no copy of the table is made then. */
Test(sites, the_peak_is_that_of_the_sum)
{
    cr_assert(sites_start());
    uint32_t one = sites_find(g_frames, 1);
    uint32_t two = sites_find(g_frames, 2);
    uint32_t late = sites_find(g_frames, 3);
    sites_add(one, 100, 0.5, 1); // stands for 200
    sites_add(two, 1000, 1, 1);  // 1200, the peak
    sites_add(two, 1000, 1, -1);
    sites_add(one, 100, 0.5, 1);
    sites_add(late, 300, 1, 1); // 700
    cr_assert_float_eq(sites_peak(sites_at(one)).bytes, 200, 1e-9);
    cr_assert_float_eq(sites_peak(sites_at(two)).bytes, 1000, 1e-9);
    cr_assert_float_eq(sites_peak(sites_at(late)).bytes, 0, 1e-9);
    sites_resize(late, 300, 1, 2000, 1); // 2400, a new one
    cr_assert_float_eq(sites_peak(sites_at(one)).bytes, 400, 1e-9);
    cr_assert_float_eq(sites_peak(sites_at(two)).bytes, 0, 1e-9);
    cr_assert_float_eq(sites_peak(sites_at(late)).bytes, 2000, 1e-9);
    cr_assert_float_eq(sites_at(late)->total.bytes, 2000, 1e-9);
    cr_assert_float_eq(sites_live().bytes, 2400, 1e-9);
    cr_assert_eq(sites_live().sampled_blocks, 3);
}

/* A table that is full must neither grow nor lose bytes. */
Test(sites, what_finds_no_room_is_counted_together)
{
    cr_assert(sites_start());
    const void *frame[1];
    for (uintptr_t i = 1; i < SITES_MAX; i++) {
        frame[0] = (const void *)i;
        cr_assert_eq(sites_find(frame, 1), i);
    }
    frame[0] = (const void *)(uintptr_t)SITES_MAX;
    cr_assert_eq(sites_find(frame, 1), 0);
    cr_assert_eq(sites_count(), SITES_MAX);
    frame[0] = (const void *)(uintptr_t)5;
    cr_assert_eq(sites_find(frame, 1), 5);
    cr_assert(sites_start());
    cr_assert_eq(sites_live().sampled_blocks, 0);
}
