/* test_huge_pages.c - which memory is asked for by huge pages. */
#include "pages/huge_pages.h"
#include "base/bits.h"
#include "base/config.h"
#include "base/os.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

enum { UNITS = 8 };

/* A mapping that begins in the middle of a unit. */
static char *map(void)
{
    char *start = os_map(NULL, (UNITS + 2) * HUGE_PAGE_BYTES);
    cr_assert_not_null(start);
    return start + (align_up((uintptr_t)start, HUGE_PAGE_BYTES) - (uintptr_t)start) +
           HUGE_PAGE_BYTES / 2;
}

Test(huge_pages, small_programs_do_not_ask_by_themselves)
{
    huge_pages_set(HUGE_PAGES_NEVER);
    cr_assert_not(huge_pages_are_for(SIZE_MAX));
    huge_pages_set(HUGE_PAGES_AUTO);
    bool has_them = os_page_bytes() == PAGE_BYTES_MIN;
    cr_assert_not(huge_pages_are_for(HUGE_PAGE_HEAP_MIN - 1));
    cr_assert_eq(huge_pages_are_for(HUGE_PAGE_HEAP_MIN), has_them);
    huge_pages_set(HUGE_PAGES_ALWAYS);
    cr_assert_eq(huge_pages_are_for(1), has_them);
}

/* What is outside of whole units may hold blocks: to ask purges what it asks for. */
Test(huge_pages, what_lies_in_no_whole_unit_is_left_alone)
{
    char *start = map();
    size_t bytes = UNITS * HUGE_PAGE_BYTES;
    huge_pages_set(HUGE_PAGES_ALWAYS);
    memset(start, 7, HUGE_PAGE_BYTES / 2);
    memset(start + bytes - HUGE_PAGE_BYTES / 2, 7, HUGE_PAGE_BYTES / 2);
    huge_pages_ask(start, bytes);
    for (size_t i = 0; i < HUGE_PAGE_BYTES / 2; i++) {
        cr_assert_eq(start[i], 7);
        cr_assert_eq(start[bytes - 1 - i], 7);
    }
}

/* Units until they are known to be slow, at most `most`. */
static unsigned noted(uint64_t took_ns, unsigned most)
{
    unsigned units = 1;
    while (units < most && huge_pages_note(took_ns)) {
        units++;
    }
    return units;
}

Test(huge_pages, slow_units_are_known_after_a_few)
{
    cr_assert_leq(noted(3500000, 1000), 4);
}

/* The host had memory at hand, and then no more: twice the time of small pages, for ever. */
Test(huge_pages, units_that_become_slow_are_known_too)
{
    cr_assert_eq(noted(200000, 10000), 10000);
    unsigned units = noted(3500000, 1000);
    cr_assert_gt(units, 4);
    cr_assert_leq(units, 64);
}

/* The clock counts in ticks of 4 ms: one in 20 seems to be slow. */
Test(huge_pages, a_tick_is_no_slow_unit)
{
    for (unsigned i = 0; i < 10000; i++) {
        cr_assert(huge_pages_note(i % 20 == 0 ? 4000001 : 1));
    }
}

/* A block that grows holds something, and what it grows by may never be written to. */
Test(huge_pages, only_new_mappings_are_timed)
{
    char *start = map();
    size_t bytes = UNITS * HUGE_PAGE_BYTES;
    memset(start, 7, bytes);
    huge_pages_set(HUGE_PAGES_AUTO);
    huge_pages_ask_mapping(start, bytes, false);
    for (size_t i = 0; i < bytes; i++) {
        cr_assert_eq(start[i], 7);
    }
}

/* HUGE_PAGES-1 */
Test(huge_pages, without_a_clock_they_count_as_slow)
{
    cr_assert_not(huge_pages_note(0));
}

/* HUGE_PAGES-1: the trials write to fresh memory, which stays zero. */
Test(huge_pages, trials_leave_zeros)
{
    char *start = map();
    huge_pages_set(HUGE_PAGES_AUTO);
    for (unsigned i = 0; i < UNITS - 1; i++) {
        char *unit = start + HUGE_PAGE_BYTES / 2 + i * HUGE_PAGE_BYTES;
        huge_pages_ask(unit, HUGE_PAGE_BYTES);
        for (size_t at = 0; at < HUGE_PAGE_BYTES; at += 512) {
            cr_assert_eq(unit[at], 0);
        }
    }
    huge_pages_refuse(start + HUGE_PAGE_BYTES / 2, HUGE_PAGE_BYTES);
}
