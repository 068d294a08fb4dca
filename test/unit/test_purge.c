/* test_purge.c - when free memory goes back to the kernel, and how much may stay. */
#include "pages/purge.h"
#include "pages/budget.h"
#include "base/os.h"
#include "pages/huge_pages.h"
#include "pages/units.h"
#include "support/spans.h"

#include <unistd.h>

/* Work of one call: 4 steps, and as much at the end. */
#define ONE_CALL (8 * PURGE_STEP_BYTES)

static void give(size_t index, size_t bytes)
{
    span_free(index, bytes >> CHUNK_SHIFT);
}

/* Free memory in the middle: what is at the end may go by lowering the break. */
static size_t take_and_keep_the_end(size_t bytes)
{
    size_t index = spans_take(bytes);
    spans_take(CHUNK_BYTES);
    return index;
}

/* A freed heap comes back without any call of malloc_trim. */
Test(purge, frees_purge_down_to_the_budget, .init = spans_start)
{
    size_t index = take_and_keep_the_end(64 * MIB);
    give(index, 64 * MIB);
    purge_consider(64 * MIB);
    for (unsigned i = 0; i < 100; i++) {
        purge_consider(0);
    }
    cr_assert_leq(span_dirty_bytes(), budget_bytes());
    cr_assert_lt(span_dirty_bytes(), 4 * MIB);
    span_check();
}

/* PURGE-1: It is part of a free, which must not take long. */
Test(purge, one_call_purges_a_bounded_amount, .init = spans_start)
{
    size_t index = spans_take(40 * MIB);
    spans_take(40 * MIB);
    give(index, 40 * MIB);
    size_t before = span_dirty_bytes();
    purge_consider(40 * MIB);
    cr_assert_lt(span_dirty_bytes(), before);
    cr_assert_geq(span_dirty_bytes() + ONE_CALL, before);
}

/* Rule "low": nobody may ever call us again. */
Test(purge, the_end_of_a_fall_purges_all_at_once, .init = spans_start)
{
    size_t index = take_and_keep_the_end(64 * MIB);
    give(index, 64 * MIB);
    purge_consider(64 * MIB);
    cr_assert_leq(span_dirty_bytes(), RETAIN_BYTES_MIN);
    cr_assert(budget_is_low());
}

// Falls from `top` to `bottom`, and rises again; dirty bytes at the bottom.
static size_t swing(size_t top, size_t bottom)
{
    size_t part = spans_take(top - bottom);
    spans_take(CHUNK_BYTES);
    give(part, top - bottom);
    for (unsigned i = 0; i < 100; i++) {
        purge_consider(i == 0 ? top - bottom : 0);
        purge_check();
    }
    return span_dirty_bytes();
}

/* Rule "breathing": what goes and comes back at once stays the next time, up to the last top. */
Test(purge, what_is_taken_again_stays_until_it_is_not_needed, .init = spans_start)
{
    spans_take(32 * MIB);
    cr_assert_lt(swing(64 * MIB, 32 * MIB), 4 * MIB); // careful
    swing(64 * MIB, 32 * MIB);
    cr_assert_gt(swing(64 * MIB, 32 * MIB), 24 * MIB); // it breathes
    for (unsigned i = 0; i < 8; i++) {
        swing(40 * MIB, 32 * MIB);
    }
    cr_assert_lt(swing(40 * MIB, 32 * MIB), 16 * MIB); // rule "top": the higher one is forgotten
}

/* Of a huge page only the whole goes, as long as that keeps the rules. */
Test(purge, a_page_of_a_huge_unit_waits_for_the_rest, .init = spans_start)
{
    huge_pages_set(HUGE_PAGES_ALWAYS);
    size_t index = spans_take(64 * MIB);
    size_t unit = page_map_unit(index + 4 * UNIT_CHUNKS);
    size_t first = page_map_unit_start(unit);
    cr_assert(units_is_huge(unit));
    span_free(first, 1);
    cr_assert_eq(span_purge_step(false), 0);
    cr_assert(units_is_huge(unit));
    span_free(first + 1, UNIT_CHUNKS - 1);
    cr_assert_eq(span_purge_step(false), HUGE_PAGE_BYTES);
    cr_assert(units_is_huge(unit));
    span_free(first + UNIT_CHUNKS, 1);
    cr_assert_eq(span_purge_step(true), CHUNK_BYTES); // splits
    cr_assert_not(units_is_huge(unit + 1));
    span_check();
}

/* Takes `count` chunks in a row, of which one in `share` is not dense: none at the beginning of a
 * unit, which would decide about it. */
static size_t take_mixed(size_t count, size_t share)
{
    bool clean = false;
    size_t first = span_allocate(1, 1, true, &clean);
    while (page_map_unit_start(page_map_unit(first)) != first) {
        first = span_allocate(1, 1, true, &clean);
    }
    for (size_t i = 1; i < count; i++) {
        cr_assert_eq(span_allocate(1, 1, i % share != share / 2, &clean), first + i);
    }
    return page_map_unit(first + count / 2);
}

/* A reserve that is hardly written to would be resident as a whole. */
Test(purge, what_is_sparse_stays_out_of_huge_pages, .init = spans_start)
{
    huge_pages_set(HUGE_PAGES_ALWAYS);
    cr_assert(units_is_huge(take_mixed(64 * UNIT_CHUNKS, 64)));
    cr_assert_not(units_is_huge(take_mixed(64 * UNIT_CHUNKS, 4)));
    cr_assert_not(units_is_huge(take_mixed(4 * UNIT_CHUNKS, 1)));
    cr_assert(units_is_huge(take_mixed(64 * UNIT_CHUNKS, 64))); // dense again
}

/* A very large block may be written to only where it begins: the unit around that stays small. */
Test(purge, a_very_large_block_gets_only_what_lies_inside, .init = spans_start)
{
    huge_pages_set(HUGE_PAGES_ALWAYS);
    spans_take(CHUNK_BYTES); // so that it does not begin with a unit
    size_t index = spans_take(8 * HUGE_PAGE_BYTES);
    size_t unit = page_map_unit(index);
    bool is_aligned = page_map_unit_start(unit) == index;
    cr_assert_eq(units_is_huge(unit), is_aligned);
    cr_assert(units_is_huge(unit + 1));
    cr_assert(units_is_huge(unit + 6));
    cr_assert_eq(units_is_huge(unit + 8), false);
}

/* The kernel has forgotten what was asked for; the next growth must ask anew. */
Test(purge, what_is_trimmed_is_asked_for_again, .init = spans_start)
{
    huge_pages_set(HUGE_PAGES_ALWAYS);
    size_t index = spans_take(64 * MIB);
    size_t unit = page_map_unit(index + 4 * UNIT_CHUNKS);
    give(index, 64 * MIB);
    cr_assert(purge_all(0));
    cr_assert_not(units_is_huge(unit));
    spans_take(64 * MIB);
    cr_assert(units_is_huge(unit));
}

/* What is little is used again: each page that goes costs a fault. */
Test(purge, a_little_stays, .init = spans_start)
{
    size_t index = take_and_keep_the_end(256 * 1024);
    give(index, 256 * 1024);
    size_t before = span_dirty_bytes();
    for (unsigned i = 0; i < 100; i++) {
        purge_consider(0);
    }
    cr_assert(CONFIG_TINY || span_dirty_bytes() == before);
    cr_assert_geq(budget_bytes(), RETAIN_BYTES_MIN);
}

/* purge:0, for comparison. */
Test(purge, switched_off_nothing_goes_back, .init = spans_start)
{
    purge_configure(&(struct purge_settings){.enabled = false});
    cr_assert_not(purge_is_on());
    size_t index = take_and_keep_the_end(64 * MIB);
    give(index, 64 * MIB);
    purge_consider(64 * MIB);
    purge_tick();
    cr_assert_eq(span_dirty_bytes(), 64 * MIB);
    cr_assert_not(purge_is_low());
}

/* malloc_trim(0) means it, and tells whether it helped. */
Test(purge, a_trim_leaves_nothing_dirty, .init = spans_start)
{
    size_t index = take_and_keep_the_end(64 * MIB);
    give(index, 64 * MIB);
    give(spans_take(16 * MIB), 16 * MIB);
    cr_assert(purge_all(0));
    cr_assert_eq(span_dirty_bytes(), 0);
    cr_assert_lt(span_end_free_bytes(), CHUNK_BYTES * 4);
    cr_assert_not(purge_all(0));
    span_check();
}

Test(purge, a_trim_keeps_its_pad_at_the_end, .init = spans_start)
{
    size_t index = spans_take(64 * MIB);
    give(index, 64 * MIB);
    cr_assert(purge_all(8 * MIB));
    cr_assert_geq(span_end_free_bytes(), 8 * MIB);
    cr_assert_lt(span_end_free_bytes(), 9 * MIB);
}

/* The break goes down where the end is free, as M_TRIM_THRESHOLD says. */
Test(purge, the_end_is_trimmed_beyond_the_threshold_but_for_the_pad, .init = spans_start)
{
    purge_configure(
        &(struct purge_settings){.enabled = true, .trim_bytes = 2 * MIB, .top_pad_bytes = MIB});
    size_t index = spans_take(32 * MIB);
    give(index, 32 * MIB);
    purge_consider(32 * MIB);
    for (unsigned i = 0; i < 100; i++) {
        purge_consider(0);
    }
    cr_assert_leq(span_end_free_bytes(), 2 * MIB);
    cr_assert_geq(span_end_free_bytes(), MIB);
}

/* Shares of it are what may stay. */
Test(purge, the_peak_is_what_was_in_use_before_a_free, .init = spans_start)
{
    size_t index = spans_take(32 * MIB);
    give(index, 32 * MIB);
    purge_consider(32 * MIB);
    cr_assert_geq(budget_top_bytes(), 32 * MIB);
    cr_assert_lt(budget_top_bytes(), 33 * MIB);
}

/* A program that only sleeps and wakes must not keep what a load of long ago needed. */
Test(purge, ticks_give_back_what_nobody_needed_for_two_seconds, .init = spans_start)
{
    size_t index = take_and_keep_the_end(64 * MIB);
    purge_tick(); // the first window begins
    give(index, 64 * MIB);
    bool ended = false;
    for (unsigned i = 0; i < 25; i++) {
        usleep(100 * 1000);
        ended |= purge_tick();
    }
    cr_assert(ended);
    cr_assert_lt(span_dirty_bytes(), MIB);
}

/* The depots are swept by the tick, whoever has ended the window. */
Test(purge, a_window_that_frees_have_ended_is_told_by_the_next_tick, .init = spans_start)
{
    purge_tick(); // the first window begins
    cr_assert_not(purge_tick());
    usleep(1100 * 1000);
    for (unsigned i = 0; i < 32; i++) {
        give(spans_take(MIB), MIB);
        purge_consider(MIB);
    }
    cr_assert(purge_tick());
    cr_assert_not(purge_tick());
}
