/* test_budget.c - what is learned about a program that frees all it has, again and again. */
#include "pages/budget.h"
#include "pages/huge_pages.h"
#include "pages/purge.h"
#include "pages/units.h"
#include "support/spans.h"

#define TOP      (64 * MIB)
#define PATIENCE 1500 // mallocs of the first watch

static void give(size_t index, size_t bytes)
{
    span_free(index, bytes >> CHUNK_SHIFT);
    purge_consider(bytes);
    purge_check();
}

static void rise_and_fall(void)
{
    give(spans_take(TOP), TOP);
}

// Two lows whose memory came back; then a third one.
static void become_waiting(void)
{
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_not(budget_is_waiting());
        rise_and_fall();
    }
    cr_assert(budget_is_waiting());
}

// Mallocs until a watch ends.
static unsigned watched(unsigned most)
{
    unsigned mallocs = 1;
    while (mallocs < most && purge_watch()) {
        mallocs++;
    }
    return mallocs;
}

/* Rule "low": the first ends give back at once, whether the memory comes back or not. */
Test(budget, the_first_lows_give_back_at_once, .init = spans_start)
{
    for (unsigned i = 0; i < 2; i++) {
        rise_and_fall();
        cr_assert(budget_is_over());
        cr_assert_leq(span_dirty_bytes(), RETAIN_BYTES_MIN);
    }
}

/* Rule "waiting": a program that rises after each end takes no page faults for it. */
Test(budget, a_low_after_vain_ones_waits, .init = spans_start)
{
    become_waiting();
    cr_assert(budget_is_low());
    cr_assert_not(budget_is_over());
    cr_assert_geq(span_dirty_bytes(), TOP * 7 / 8);
    size_t purged = span_refaults().purged;
    for (unsigned i = 0; i < 20; i++) {
        rise_and_fall();
        cr_assert(budget_is_waiting());
    }
    cr_assert_leq(span_refaults().purged - purged, TOP >> CHUNK_SHIFT >> 3);
}

/* A program that stops calling at such a low keeps what waits: never more than a busy one does. */
Test(budget, what_waits_is_bounded, .init = spans_start)
{
    enum { SPANS = 2048, BYTES = 4 * RETAIN_BYTES_MAX / SPANS };
    static size_t spans[SPANS];
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_not(budget_is_waiting());
        for (unsigned k = 0; k < SPANS; k++) {
            spans[k] = spans_take(BYTES);
        }
        for (unsigned k = 0; k < SPANS; k++) {
            give(spans[k], BYTES);
        }
    }
    cr_assert(budget_is_waiting());
    cr_assert_leq(span_dirty_bytes(), RETAIN_BYTES_MAX);
    cr_assert_geq(span_dirty_bytes(), RETAIN_BYTES_MAX / 2);
}

/* A low of which little came back was an end, however many there are. */
Test(budget, lows_whose_memory_stays_away_are_not_vain, .init = spans_start)
{
    rise_and_fall();
    for (unsigned i = 0; i < 4; i++) {
        give(spans_take(12 * MIB), 12 * MIB);
        cr_assert(budget_is_over());
        cr_assert_leq(span_dirty_bytes(), RETAIN_BYTES_MIN);
    }
}

/* But a program that goes on with little gets it purged, and next time is watched for longer. */
Test(budget, mallocs_that_take_no_span_end_a_wait, .init = spans_start)
{
    become_waiting();
    for (unsigned patience = PATIENCE; patience <= 4 * PATIENCE; patience *= 2) {
        cr_assert_eq(watched(100000), patience + 1);
        cr_assert_not(budget_is_waiting());
        cr_assert(budget_is_over());
        cr_assert_leq(span_dirty_bytes(), RETAIN_BYTES_MIN);
        rise_and_fall();
        cr_assert(budget_is_waiting());
    }
}

/* A rise that has begun is no reason to purge; one that takes for ever is. */
Test(budget, a_rise_prolongs_a_wait, .init = spans_start)
{
    become_waiting();
    unsigned mallocs = 0;
    for (unsigned i = 0; i < 20; i++) {
        for (unsigned k = 0; k < PATIENCE - 10; k++, mallocs++) {
            cr_assert(purge_watch());
        }
        spans_take(CHUNK_BYTES);
    }
    cr_assert_geq(span_dirty_bytes(), TOP * 7 / 8);
    for (; mallocs < 1000000 && purge_watch(); mallocs++) {
        if (mallocs % 1000 == 0) {
            give(spans_take(CHUNK_BYTES), CHUNK_BYTES);
            spans_take(CHUNK_BYTES);
        }
    }
    cr_assert_leq(mallocs, 65 * PATIENCE);
    cr_assert_leq(span_dirty_bytes(), RETAIN_BYTES_MIN);
}

/* When it has risen, nothing is watched any more, and nothing was purged. */
Test(budget, a_rise_ends_a_wait, .init = spans_start)
{
    become_waiting();
    size_t purged = span_refaults().purged;
    spans_take(TOP / 2);
    cr_assert_not(purge_watch());
    cr_assert_not(budget_is_waiting());
    cr_assert_eq(span_refaults().purged, purged);
}

/* What lies on huge pages comes back at once: no reason to keep it. */
Test(budget, a_waiting_low_gives_back_whole_units, .init = spans_start)
{
    huge_pages_set(HUGE_PAGES_ALWAYS);
    become_waiting();
    rise_and_fall();
    cr_assert(budget_is_waiting());
    cr_assert_lt(span_dirty_bytes(), 3 * HUGE_PAGE_BYTES); // the ends of the span fill no unit
}

/* What came back is counted on small pages only where it costs a fault for each. */
Test(budget, what_comes_back_on_huge_pages_is_counted_apart, .init = spans_start)
{
    for (unsigned i = 0; i < 2; i++) {
        rise_and_fall();
    }
    struct span_refaults small = span_refaults();
    cr_assert_eq(small.retaken, small.on_small_pages);
    cr_assert_geq(small.retaken, TOP * 7 / 8 >> CHUNK_SHIFT);
    huge_pages_set(HUGE_PAGES_ALWAYS);
    rise_and_fall();
    struct span_refaults huge = span_refaults();
    cr_assert_geq(huge.retaken, small.retaken + (TOP * 7 / 8 >> CHUNK_SHIFT));
    cr_assert_eq(huge.on_small_pages, small.on_small_pages);
}

/* Rule "top": it is forgotten once it was freed twice over. */
Test(budget, the_top_is_that_of_two_epochs, .init = spans_start)
{
    rise_and_fall();
    size_t freed = 0;
    for (; budget_top_bytes() >= TOP; freed += MIB / 4) {
        give(spans_take(MIB / 4), MIB / 4);
        cr_assert_lt(freed, 3 * TOP);
    }
    cr_assert_geq(freed, TOP);
    cr_assert_lt(budget_top_bytes(), 4 * MIB);
}

/* Rule "regret": what comes back although the budget breathes does not fit what is free. */
Test(budget, regret_keeps_more_than_the_top, .init = spans_start)
{
    size_t base = spans_take(TOP); // never low
    for (unsigned i = 0; i < 3; i++) {
        rise_and_fall();
    }
    cr_assert(budget_is_breathing());
    size_t before = budget_bytes();
    for (unsigned i = 0; i < 8; i++) {
        spans_take(CHUNK_BYTES);
        while (span_purge_step(true) != 0) { // as if it were scattered
        }
        rise_and_fall();
        budget_learn();
    }
    cr_assert_geq(budget_bytes(), before + TOP / 4);
    size_t top = budget_top_bytes(); // remembered for long by now
    for (size_t freed = 0; freed < 32 * TOP; freed += MIB) {
        give(spans_take(MIB), MIB);
    }
    cr_assert_eq(budget_top_bytes(), top);
    give(base, TOP);
}

/* For the thread of background:1. */
Test(budget, frees_and_huge_blocks_are_changes, .init = spans_start)
{
    size_t before = budget_changes();
    size_t index = spans_take(MIB);
    cr_assert_eq(budget_changes(), before);
    give(index, MIB);
    cr_assert_eq(budget_changes(), before + 1);
    budget_follow_huge(MIB, 0);
    cr_assert_eq(budget_changes(), before + 2);
    budget_follow_huge(0, 0);
}
