/* test_page_fit.c - which free span serves a request, under each of the three policies. */
#include "pages/page_fit.h"
#include "pages/page_map.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { CHUNKS = 60000, SPANS = 400 };

static void start(void)
{
    cr_assert(page_map_start((uintptr_t)1 << 40));
    cr_assert(page_map_open(CHUNKS));
    page_map_publish(CHUNKS);
}

static void insert(size_t index, size_t length)
{
    page_map_entry(index)->length = (uint32_t)length;
    page_fit_insert(index);
}

static void set_dirty(size_t index)
{
    g_page_map.dirty[index / 64] |= 1UL << (index % 64);
}

Test(page_fit, without_a_span_nothing_is_found, .init = start)
{
    cr_assert_eq(page_fit_find(1), 0);
    insert(10, 5);
    cr_assert_eq(page_fit_find(6), 0);
    cr_assert_eq(page_fit_find(5), 10);
    page_fit_remove(10);
    cr_assert_eq(page_fit_find(1), 0);
}

/* What is found stays where it is: the caller takes it out. */
Test(page_fit, a_find_takes_nothing, .init = start)
{
    insert(10, 5);
    cr_assert_eq(page_fit_find(3), 10);
    cr_assert_eq(page_fit_find(3), 10);
}

Test(page_fit, first_fit_finds_the_lowest_address, .init = start)
{
    page_fit_set_policy(PAGE_FIT_FIRST);
    insert(500, 4);
    insert(100, 900);
    insert(50, 3);
    cr_assert_eq(page_fit_find(4), 100);
    cr_assert_eq(page_fit_find(3), 50);
}

Test(page_fit, best_fit_finds_the_shortest_and_of_these_the_lowest, .init = start)
{
    page_fit_set_policy(PAGE_FIT_BEST);
    insert(100, 900);
    insert(3000, 40);
    insert(2000, 41);
    insert(5000, 41);
    insert(4000, 41);
    cr_assert_eq(page_fit_find(40), 3000);
    cr_assert_eq(page_fit_find(41), 2000);
    cr_assert_eq(page_fit_find(42), 100);
}

/* It needs no fault; a lower one that was purged does. */
/* Spans of 33 to 39 chunks share a bin. Whoever followed the broken link would crash. */
Test(page_fit, best_fit_looks_at_a_few_spans_of_a_bin, .init = start)
{
    page_fit_set_policy(PAGE_FIT_BEST);
    insert(50000, 60);
    for (size_t i = 1; i <= SPANS; i++) {
        insert(100 * i, 33);
    }
    page_map_entry(100UL * (SPANS - 40))->next = UINT32_MAX;
    cr_assert_eq(page_fit_find(39), 50000);
    page_fit_remove(50000);
    cr_assert_eq(page_fit_find(39), 0);
}

Test(page_fit, best_fit_prefers_what_is_resident, .init = start)
{
    page_fit_set_policy(PAGE_FIT_BEST);
    insert(100, 8);
    insert(200, 8);
    insert(300, 8);
    set_dirty(200);
    cr_assert_eq(page_fit_find(8), 200);
    cr_assert_eq(page_fit_find(7), 200);
}

/* The newest of the first bin that surely fits: no search. */
Test(page_fit, segregated_fit_finds_the_newest_of_the_first_bin, .init = start)
{
    page_fit_set_policy(PAGE_FIT_SEGREGATED);
    insert(100, 8);
    insert(300, 8);
    insert(200, 8);
    insert(1000, 500);
    cr_assert_eq(page_fit_find(8), 200);
    cr_assert_eq(page_fit_find(9), 1000);
}

/* Before memory is refused, or the heap grows at its limit. */
Test(page_fit, the_only_span_that_fits_is_found_behind_many_that_do_not, .init = start)
{
    for (unsigned policy = PAGE_FIT_FIRST; policy <= PAGE_FIT_SEGREGATED; policy++) {
        page_fit_set_policy((enum page_fit_policy)policy);
        insert(20000, 1023); // of the same quarter of a doubling
        for (size_t i = 0; i < 100; i++) {
            insert(30000 + i * 10, 900);
        }
        size_t found = page_fit_find(1000);
        cr_assert(found == 20000 || (found == 0 && policy != PAGE_FIT_FIRST)); // a few looks only
        cr_assert_eq(page_fit_find_hidden(1000), 20000);
        page_fit_remove(20000);
        cr_assert_eq(page_fit_find(1000), 0);
        for (size_t i = 0; i < 100; i++) {
            page_fit_remove(30000 + i * 10);
        }
        cr_assert_eq(page_fit_find(1), 0);
    }
}

static struct {
    size_t index, length;
} g_spans[SPANS];

/* The shortest that fits of a plain table; 0 when there is none. */
static size_t least_that_fits(size_t length)
{
    size_t least = 0;
    for (size_t i = 0; i < SPANS; i++) {
        size_t there = g_spans[i].length;
        if (there >= length && (least == 0 || there < least)) {
            least = there;
        }
    }
    return least;
}

/* Under every policy something is found exactly when something fits. Best fit may take a longer one
 * of the same bin, where it looks at the first few only: at most a quarter more. */
static void check_find(enum page_fit_policy policy)
{
    size_t length = (size_t)rand() % 300 + 1;
    size_t least = least_that_fits(length);
    size_t found = page_fit_find(length);
    cr_assert_eq(found != 0, least != 0);
    if (found == 0) {
        return;
    }
    size_t there = page_map_entry(found)->length;
    cr_assert_geq(there, length);
    for (size_t i = 0; policy == PAGE_FIT_FIRST && i < SPANS; i++) {
        cr_assert(g_spans[i].length < length || g_spans[i].index >= found);
    }
    cr_assert(policy != PAGE_FIT_BEST || there <= least + least / 4);
}

Test(page_fit, a_span_is_found_exactly_when_one_fits, .init = start)
{
    srand(1);
    for (unsigned step = 0; step < 60000; step++) {
        enum page_fit_policy policy = (enum page_fit_policy)(step / 20000);
        size_t at = (size_t)rand() % SPANS;
        page_fit_set_policy(policy);
        if (g_spans[at].length != 0) {
            page_fit_remove(g_spans[at].index);
            g_spans[at].length = 0;
        } else if (rand() % 3 == 0) {
            g_spans[at].index = at * 150 + 1;
            g_spans[at].length = (size_t)rand() % (rand() % 4 == 0 ? 400 : 40) + 1;
            insert(g_spans[at].index, g_spans[at].length);
        }
        check_find(policy);
    }
}
