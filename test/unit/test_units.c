/* test_units.c - which units of 2 MiB were asked for. */
#include "pages/units.h"
#include "pages/dirty.h"
#include "pages/huge_pages.h"
#include "pages/page_map.h"
#include "pages/span.h"

#include <criterion/criterion.h>

static size_t first; // of 16 units that are free as a whole, and clean

static void start(void)
{
    bool clean = false;
    cr_assert(span_start(false));
    huge_pages_set(HUGE_PAGES_NEVER);
    size_t index = span_allocate(18 * UNIT_CHUNKS, 1, false, &clean);
    cr_assert_neq(index, 0);
    first = page_map_unit_start(page_map_unit(index + UNIT_CHUNKS - 1));
}

/* UNITS-1 */
Test(units, only_units_that_are_clean_as_a_whole_are_asked_for, .init = start)
{
    size_t unit = page_map_unit(first);
    cr_assert_not(units_any());
    dirty_exchange(first + 2 * UNIT_CHUNKS + 7, 1, true);
    units_ask(first, first + 4 * UNIT_CHUNKS, first, 4 * UNIT_CHUNKS);
    cr_assert(units_any());
    cr_assert(units_is_huge(unit));
    cr_assert(units_is_huge(unit + 1));
    cr_assert_not(units_is_huge(unit + 2));
    cr_assert(units_is_huge(unit + 3));
    cr_assert_not(units_is_huge(unit + 4));
}

Test(units, a_unit_that_the_span_does_not_hold_as_a_whole_is_not_asked_for, .init = start)
{
    size_t unit = page_map_unit(first);
    units_ask(first + 1, first + 2 * UNIT_CHUNKS - 1, first + 1, 2 * UNIT_CHUNKS - 2);
    cr_assert_not(units_is_huge(unit));
    cr_assert_not(units_is_huge(unit + 1));
}

/* UNITS-1: the kernel would bring the rest of a unit back with its next fault. */
Test(units, a_purge_of_a_part_refuses_the_whole_unit, .init = start)
{
    size_t unit = page_map_unit(first);
    units_ask(first, first + 4 * UNIT_CHUNKS, first, 4 * UNIT_CHUNKS);
    units_refuse(first + UNIT_CHUNKS + 3, 1);
    cr_assert(units_is_huge(unit));
    cr_assert_not(units_is_huge(unit + 1));
    cr_assert(units_is_huge(unit + 2));
    units_forget(first + 2 * UNIT_CHUNKS, 2 * UNIT_CHUNKS);
    cr_assert_not(units_is_huge(unit + 2));
    cr_assert_not(units_is_huge(unit + 3));
}

/* UNITS-2: each unit that is refused may be a mapping of its own. */
Test(units, no_unit_is_asked_for_far_behind, .init = start)
{
    enum { UNITS_MAX = 8192 };
    size_t far = page_map_unit_start(UNITS_MAX + 4);
    if (!page_map_open(far + 4 * UNIT_CHUNKS)) {
        cr_skip_test("no room for longer tables");
    }
    units_ask(far, far + 4 * UNIT_CHUNKS, far, 4 * UNIT_CHUNKS);
    cr_assert_not(units_is_huge(UNITS_MAX + 4));
}
