/* Guards of pages, and pages made zero. */
#include "pages/protect.h"
#include "base/os.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE  os_page_bytes()
#define PAGES 64U

static char *map_pages(void)
{
    char *start = os_map(NULL, PAGES * PAGE);
    cr_assert_not_null(start);
    return start;
}

static size_t resident_pages(char *start)
{
    unsigned char pages[PAGES];
    size_t count = 0;
    cr_assert_eq(mincore(start, PAGES * PAGE, pages), 0);
    for (unsigned i = 0; i < PAGES; i++) {
        count += pages[i] & 1;
    }
    return count;
}

Test(protect, what_is_mostly_written_is_cleared_in_place)
{
    char *start = map_pages();
    memset(start, 1, PAGES * PAGE);
    cr_assert(protect_is_written(start, PAGES * PAGE));
    protect_clear(start, PAGES * PAGE);
    cr_assert_not(protect_is_written(start, PAGES * PAGE));
    cr_assert_eq(resident_pages(start), PAGES);
    for (size_t i = 0; i < PAGES * PAGE; i++) {
        cr_assert_eq(start[i], 0);
    }
}

Test(protect, what_is_mostly_untouched_is_purged)
{
    char *start = map_pages();
    start[0] = 1;
    start[PAGE - 1] = 1;
    cr_assert_not(protect_is_written(start, PAGES * PAGE));
    protect_clear(start, PAGES * PAGE);
    cr_assert_eq(resident_pages(start), 0);
    cr_assert_eq(start[0] | start[PAGE - 1], 0);
}

Test(protect, a_guard_is_hidden, .signal = SIGSEGV)
{
    char *start = map_pages();
    cr_assert_neq(protect_guard(start, PAGE), PROTECT_NONE);
    start[PAGE] = 1;
    start[0] = 1;
}

Test(protect, a_guard_is_taken_away_again)
{
    char *start = map_pages();
    enum protect_guard guard = protect_guard(start, PAGE);
    cr_assert(protect_unguard(start, PAGE, guard));
    start[0] = 1;
}

Test(protect, parts_of_a_guard_become_memory, .signal = SIGSEGV)
{
    char *start = map_pages();
    enum protect_guard guard = protect_kind();
    cr_assert(protect_guard_more(start, 4 * PAGE, guard));
    cr_assert(protect_guard_less(start + PAGE, 2 * PAGE, guard));
    start[PAGE] = 1;
    start[3 * PAGE - 1] = 1;
    start[3 * PAGE] = 1;
}

/* PROTECT-1 */
Test(protect, rows_end)
{
    cr_assert(protect_reserve(16384));
    cr_assert_not(protect_reserve(1));
    protect_unreserve(16384);
    cr_assert(protect_reserve(1));
}
