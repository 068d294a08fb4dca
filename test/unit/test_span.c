/* test_span.c - spans of chunks: coalescing, growth in place, the break. */
#include "pages/span.h"
#include "pages/page_fit.h"
#include "base/os.h"
#include "pages/page_map.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void start(void)
{
    cr_assert(span_start(true));
}

static void start_without_break(void)
{
    cr_assert(span_start(false));
}

/* Spans in use are marked by their taker; the tests are the taker here. */
static void mark(size_t index, size_t length)
{
    struct chunk *head = page_map_entry(index);
    head->length = (uint32_t)length;
    chunk_set_state(head, CHUNK_LARGE);
    page_map_mark_body(head, length);
}

static size_t take(size_t length, size_t alignment)
{
    bool clean = false;
    size_t index = span_allocate(length, alignment, true, &clean);
    cr_assert_neq(index, 0);
    mark(index, length);
    char *bytes = page_map_address(index);
    cr_assert(!clean || (bytes[0] == 0 && bytes[length * CHUNK_BYTES - 1] == 0));
    memset(bytes, 1, length * CHUNK_BYTES);
    span_check();
    return index;
}

static void give(size_t index, size_t length)
{
    span_free(index, length);
    span_check();
}

/* O(1) coalescing with both neighbours: three spans become one again. */
Test(span, freed_neighbours_become_one_span, .init = start)
{
    size_t first = take(3, 1);
    size_t second = take(4, 1);
    size_t third = take(5, 1);
    size_t spans_before = span_stats().free_spans;
    give(first, 3);
    give(third, 5);
    give(second, 4);
    cr_assert_leq(span_stats().free_spans, spans_before + 1);
    cr_assert_eq(span_stats().used_chunks, 0);
}

Test(span, aligned_spans_begin_at_a_multiple, .init = start)
{
    for (size_t alignment = 1; alignment <= 256; alignment *= 2) {
        size_t index = take(3, alignment);
        uintptr_t address = (uintptr_t)page_map_address(index);
        cr_assert_eq(address % (alignment * CHUNK_BYTES), 0);
    }
}

Test(span, a_span_at_the_end_grows_in_place, .init = start)
{
    size_t index = take(4, 1);
    bool clean = false;
    if (span_extend(index, 4, 100, &clean)) {
        mark(index, 104);
        span_check();
        memset(page_map_address(index), 2, 104 * CHUNK_BYTES);
        cr_assert_geq(span_stats().used_chunks, 104);
    }
}

Test(span, a_span_before_a_live_one_does_not_grow, .init = start)
{
    size_t first = take(4, 1);
    size_t second = take(4, 1);
    bool clean = false;
    cr_assert_eq(second, first + 4);
    cr_assert_not(span_extend(first, 4, 1, &clean));
}

Test(span, trim_gives_the_free_end_back, .init = start)
{
    size_t index = take(1000, 1);
    give(index, 1000);
    while (span_purge_step(true) > 0) {
        span_check();
    }
    cr_assert_geq(span_trim(0), 900 * CHUNK_BYTES);
    span_check();
    cr_assert_eq(span_dirty_bytes(), 0);
}

/* Random takes and gives; span_check() walks all invariants after each. */
static void churn(void)
{
    enum { SLOTS = 64, STEPS = 3000 };
    struct {
        size_t index, length;
    } slots[SLOTS] = {0};
    srand(1);
    for (int step = 0; step < STEPS; step++) {
        size_t slot = (size_t)rand() % SLOTS;
        if (slots[slot].index != 0) {
            give(slots[slot].index, slots[slot].length);
            slots[slot].index = 0;
        } else {
            slots[slot].length = (size_t)rand() % 20 + 1;
            slots[slot].index = take(slots[slot].length, (size_t)1 << rand() % 3);
        }
    }
}

Test(span, invariants_hold_under_first_fit, .init = start)
{
    page_fit_set_policy(PAGE_FIT_FIRST);
    churn();
}

Test(span, invariants_hold_under_best_fit, .init = start)
{
    page_fit_set_policy(PAGE_FIT_BEST);
    churn();
}

Test(span, invariants_hold_under_segregated_fit, .init = start)
{
    page_fit_set_policy(PAGE_FIT_SEGREGATED);
    churn();
}

Test(span, invariants_hold_without_the_break, .init = start_without_break)
{
    churn();
    cr_assert_eq(span_stats().region.kind, REGION_MAPS);
}

/* A refusal is not a place that is taken: looking for another place would stretch the tables, and
 * every walk of them, over all the addresses between. */
Test(span, a_refused_mapping_does_not_scatter_the_region, .init = start_without_break)
{
    for (int i = 0; i < 20; i++) {
        os_fail_after(1);
        take(40, 1);
        os_fail_after(0);
    }
    cr_assert_lt(page_map_count(), 40 * 20 * 4);
}

/* Addresses given back come again at their place: else the heap, and the tables with it, would grow
 * with every shortage for as long as the program runs. */
static void release_and_take_again(void)
{
    size_t low = take(100, 1);
    take(1, 1); // keeps the gap from lying at the end
    give(low, 100);
    cr_assert_geq(span_release_space(), 100 * CHUNK_BYTES);
    span_check();
    size_t count = page_map_count();
    for (int i = 0; i < 50; i++) {
        size_t again = take(60 + (size_t)i % 40, 1);
        cr_assert_lt(again, low + 100);
        give(again, 60 + (size_t)i % 40);
        cr_assert_geq(span_release_space(), 60 * CHUNK_BYTES);
        span_check();
    }
    cr_assert_leq(page_map_count(), count);
}

Test(span, released_addresses_of_the_break_come_again, .init = start)
{
    release_and_take_again();
}

Test(span, released_addresses_of_mappings_come_again, .init = start_without_break)
{
    release_and_take_again();
}

/* What lies at the end leaves no gap at all. */
Test(span, released_addresses_at_the_end_shorten_the_heap, .init = start)
{
    size_t low = take(1, 1);
    size_t high = take(200, 1);
    give(high, 200);
    cr_assert_geq(span_release_space(), 200 * CHUNK_BYTES);
    cr_assert_eq(page_map_count(), low + 1);
}
