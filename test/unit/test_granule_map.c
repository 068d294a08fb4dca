/* test_granule_map.c - address to entry, before anything is dereferenced. */
#include "map/granule_map.h"

#include <criterion/criterion.h>

static const uintptr_t g_base = (uintptr_t)1 << 40;

static void start(void)
{
    cr_assert(granule_map_start(g_base));
    cr_assert(granule_map_open(100));
    granule_map_publish(100);
}

/* Every wild pointer leaves through this test: NULL, below, behind, kernel addresses. */
Test(granule_map, foreign_addresses_are_not_in_the_window, .init = start)
{
    const uintptr_t foreign[] = {
        0, 1, g_base - 1, g_base + 100 * GRANULE_BYTES, (uintptr_t)1 << 47, UINTPTR_MAX};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        cr_assert_eq(granule_map_find((const void *)foreign[i]), 0);
    }
}

Test(granule_map, every_byte_of_a_granule_finds_it, .init = start)
{
    for (size_t index = 1; index < 100; index++) {
        char *address = granule_map_address(index);
        cr_assert_eq(granule_map_find(address), index);
        cr_assert_eq(granule_map_find(address + GRANULE_BYTES - 1), index);
        cr_assert_eq(granule_map_index(granule_map_entry(index)), index);
    }
}

/* A smaller count must be published before the break goes down. */
Test(granule_map, what_is_no_longer_published_is_not_found, .init = start)
{
    granule_map_publish(50);
    cr_assert_eq(granule_map_find(granule_map_address(49)), 49);
    cr_assert_eq(granule_map_find(granule_map_address(50)), 0);
}

Test(granule_map, entries_never_used_are_nobodys, .init = start)
{
    for (size_t index = 1; index < 100; index++) {
        cr_assert_eq(granule_state(granule_map_entry(index)), GRANULE_NONE);
        cr_assert_null(granule_owner(granule_map_entry(index)));
    }
}

Test(granule_map, the_body_of_a_run_knows_its_head, .init = start)
{
    struct granule *head = granule_map_entry(10);
    granule_set_state(head, GRANULE_LARGE);
    granule_map_mark_body(head, 20);
    for (size_t index = 10; index < 30; index++) {
        cr_assert_eq(granule_head(granule_map_entry(index)), head);
    }
    cr_assert_neq(granule_head(granule_map_entry(30)), head);
}

/* The tables grow in place: what was written stays where it was. */
Test(granule_map, tables_grow_without_moving, .init = start)
{
    struct granule *entry = granule_map_entry(99);
    granule_set_state(entry, GRANULE_LARGE);
    cr_assert(granule_map_open(100000));
    granule_map_publish(100000);
    cr_assert_eq(granule_map_entry(99), entry);
    cr_assert_eq(granule_state(entry), GRANULE_LARGE);
    cr_assert_eq(granule_state(granule_map_entry(99999)), GRANULE_NONE);
    cr_assert_eq(atomic_load(&granule_map_remote(99999)->count), 0);
    cr_assert_eq(g_granule_map.dirty[99999 / 64], 0);
}

/* Links of lists are 32 bits wide. */
Test(granule_map, opening_beyond_all_indices_fails, .init = start)
{
    cr_assert_not(granule_map_open((size_t)1 << 32));
}
