/* test_map_cache.c - freed mappings that wait for the next huge block. */
#include "pages/map_cache.h"

#include <criterion/criterion.h>
#include <stdint.h>

#define MIB ((size_t)1 << 20)

static struct mapping evicted[MAP_CACHE_ENTRIES + 1];

/* Never read or written to: the cache knows addresses only. */
static struct mapping mapping(size_t number, size_t bytes)
{
    return (struct mapping){(char *)(uintptr_t)(number << 32), bytes, false};
}

/* CACHED-1: the purge rules go by this number. */
Test(map_cache, bytes_are_the_sum_of_what_is_there)
{
    cr_assert_eq(map_cache_put(mapping(1, 2 * MIB), 64 * MIB, evicted), 0);
    cr_assert_eq(map_cache_put(mapping(2, 3 * MIB), 64 * MIB, evicted), 0);
    cr_assert_eq(map_cache_bytes(), 5 * MIB);
    cr_assert_eq(map_cache_take(3 * MIB).bytes, 3 * MIB);
    cr_assert_eq(map_cache_bytes(), 2 * MIB);
    cr_assert_eq(map_cache_empty(evicted), 1);
    cr_assert_eq(map_cache_bytes(), 0);
}

Test(map_cache, the_shortest_that_fits_is_taken_else_the_longest)
{
    map_cache_put(mapping(1, 2 * MIB), 64 * MIB, evicted);
    map_cache_put(mapping(2, 8 * MIB), 64 * MIB, evicted);
    cr_assert_eq(map_cache_take(MIB).bytes, 2 * MIB);
    map_cache_put(mapping(1, 2 * MIB), 64 * MIB, evicted);
    cr_assert_eq(map_cache_take(16 * MIB).bytes, 8 * MIB); // mremap makes it longer
    cr_assert_eq(map_cache_take(16 * MIB).bytes, 2 * MIB);
    cr_assert_null(map_cache_take(16 * MIB).start);
}

Test(map_cache, the_oldest_goes_when_the_bytes_are_too_many)
{
    cr_assert_eq(map_cache_put(mapping(1, 2 * MIB), 4 * MIB, evicted), 0);
    cr_assert_eq(map_cache_put(mapping(2, MIB), 4 * MIB, evicted), 0);
    cr_assert_eq(map_cache_put(mapping(3, 3 * MIB), 4 * MIB, evicted), 1);
    cr_assert_eq(evicted[0].start, mapping(1, 0).start);
    cr_assert_eq(map_cache_put(mapping(4, 5 * MIB), 4 * MIB, evicted), 1); // itself
    cr_assert_eq(evicted[0].start, mapping(4, 0).start);
    cr_assert_eq(map_cache_bytes(), 4 * MIB);
}

Test(map_cache, the_oldest_goes_when_there_are_too_many)
{
    for (size_t i = 1; i <= MAP_CACHE_ENTRIES; i++) {
        cr_assert_eq(map_cache_put(mapping(i, MIB), 1024 * MIB, evicted), 0);
    }
    cr_assert_eq(map_cache_put(mapping(100, MIB), 1024 * MIB, evicted), 1);
    cr_assert_eq(evicted[0].start, mapping(1, 0).start);
    cr_assert_eq(map_cache_look(0).start, mapping(2, 0).start);
    cr_assert_null(map_cache_look(MAP_CACHE_ENTRIES).start);
}
