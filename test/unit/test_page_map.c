/* test_page_map.c - address to entry, before anything is dereferenced. */
#include "pages/page_map.h"

#include "base/os.h"

#include <criterion/criterion.h>

static const uintptr_t g_base = (uintptr_t)1 << 40;

static void start(void)
{
    cr_assert(page_map_start(g_base));
    cr_assert(page_map_open(100));
    page_map_publish(100);
}

/* Every wild pointer leaves through this test: NULL, below, behind, kernel addresses. */
Test(page_map, foreign_addresses_are_not_in_the_window, .init = start)
{
    const uintptr_t foreign[] = {
        0, 1, g_base - 1, g_base + 100 * CHUNK_BYTES, (uintptr_t)1 << 47, UINTPTR_MAX};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        cr_assert_eq(page_map_find((const void *)foreign[i]), 0);
    }
}

Test(page_map, every_byte_of_a_chunk_finds_it, .init = start)
{
    for (size_t index = 1; index < 100; index++) {
        char *address = page_map_address(index);
        cr_assert_eq(page_map_find(address), index);
        cr_assert_eq(page_map_find(address + CHUNK_BYTES - 1), index);
        cr_assert_eq(page_map_index(page_map_entry(index)), index);
    }
}

/* A smaller count must be published before the break goes down. */
Test(page_map, what_is_no_longer_published_is_not_found, .init = start)
{
    page_map_publish(50);
    cr_assert_eq(page_map_find(page_map_address(49)), 49);
    cr_assert_eq(page_map_find(page_map_address(50)), 0);
}

/* MAP-2 */
Test(page_map, entries_never_used_are_nobodys, .init = start)
{
    for (size_t index = 1; index < 100; index++) {
        cr_assert_eq(chunk_state(page_map_entry(index)), CHUNK_NONE);
        cr_assert_eq(page_map_bin(index), 0);
    }
}

Test(page_map, the_body_of_a_span_knows_its_head, .init = start)
{
    struct chunk *head = page_map_entry(10);
    chunk_set_state(head, CHUNK_LARGE);
    page_map_mark_body(head, 20);
    for (size_t index = 10; index < 30; index++) {
        cr_assert_eq(chunk_head(page_map_entry(index)), head);
    }
    cr_assert_neq(chunk_head(page_map_entry(30)), head);
}

/* The tables grow in place: what was written stays where it was. */
Test(page_map, tables_grow_without_moving, .init = start)
{
    struct chunk *entry = page_map_entry(99);
    chunk_set_state(entry, CHUNK_LARGE);
    page_map_set_bin(99, 1, 7);
    cr_assert(page_map_open(100000));
    page_map_publish(100000);
    cr_assert_eq(page_map_entry(99), entry);
    cr_assert_eq(chunk_state(entry), CHUNK_LARGE);
    cr_assert_eq(chunk_state(page_map_entry(99999)), CHUNK_NONE);
    cr_assert_eq(page_map_bin(99), 7);
    cr_assert_eq(page_map_bin(99999), 0);
    cr_assert_eq(g_page_map.dirty[99999 / 64], 0);
}

/* All that free reads: a bin too far would let it take a foreign chunk for a slab. */
Test(page_map, a_bin_is_set_for_its_chunks_only, .init = start)
{
    page_map_set_bin(20, 4, 33);
    for (size_t index = 1; index < 100; index++) {
        cr_assert_eq(page_map_bin(index), index >= 20 && index < 24 ? 33 : 0);
    }
    page_map_set_bin(20, 4, 0);
    cr_assert_eq(page_map_bin(20), 0);
    cr_assert_eq(page_map_bin(23), 0);
}

/* The test of free: the same answer as the look-up, without an index of 0 for what is foreign. */
Test(page_map, what_is_beyond_the_published_chunks_is_told, .init = start)
{
    cr_assert_not(page_map_is_beyond(99));
    cr_assert(page_map_is_beyond(100));
    cr_assert(page_map_is_beyond(SIZE_MAX));
}

/* Forgets [10, 10 + length) of entries that are all in use; returns how many became zero. */
static size_t forget_and_count_zero(size_t length)
{
    size_t count = length + 100;
    cr_assert(page_map_open(count));
    for (size_t index = 1; index < count; index++) {
        page_map_entry(index)->length = 5;
        page_map_entry(index)->head_distance = 7;
        chunk_set_state(page_map_entry(index), CHUNK_BODY);
    }
    page_map_forget(10, length);
    size_t zero = 0;
    for (size_t index = 1; index < count; index++) {
        const struct chunk *entry = page_map_entry(index);
        bool is_forgotten = index >= 10 && index < 10 + length;
        cr_assert_eq(chunk_state(entry), is_forgotten ? CHUNK_NONE : CHUNK_BODY);
        cr_assert_eq(entry->head_distance, is_forgotten ? 0 : 7);
        cr_assert(is_forgotten || entry->length == 5);
        zero += entry->length == 0;
    }
    return zero;
}

/* Entries of addresses that were given back are NONE, and those beside them stay. */
Test(page_map, forgotten_entries_are_none_and_no_others, .init = start)
{
    cr_assert_eq(forget_and_count_zero(900), 0);
}

/* The tables of a large heap that has ended are memory too. */
Test(page_map, the_entries_of_many_chunks_are_purged, .init = start)
{
    size_t zero = forget_and_count_zero(20000);
    cr_assert_geq(zero * sizeof(struct chunk), 20000 * sizeof(struct chunk) - 2 * os_page_bytes());
}

/* Locked memory, for one, cannot be purged. */
Test(page_map, the_entries_are_none_although_a_purge_fails, .init = start)
{
    cr_assert(page_map_open(20100));
    os_fail_after(-1);
    cr_assert_eq(forget_and_count_zero(20000), 0);
    os_fail_after(0);
}

/* Links of lists are 32 bits wide. */
Test(page_map, opening_beyond_all_indices_fails, .init = start)
{
    cr_assert_not(page_map_open((size_t)1 << 32));
}
