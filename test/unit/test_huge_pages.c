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
