/* test_slab_list.c - lists of slabs with free blocks. */
#include "core/slab_list.h"
#include "pages/page_map.h"

#include <criterion/criterion.h>
#include <stdint.h>

enum { CHUNKS = 1000, SLABS = 100 };

static void start(void)
{
    cr_assert(page_map_start((uintptr_t)1 << 40));
    cr_assert(page_map_open(CHUNKS));
    page_map_publish(CHUNKS);
}

/* Thousands of full slabs may stand at the head of a list. Whoever followed the broken link would
 * crash. */
Test(slab_list, the_fullest_is_sought_among_a_few, .init = start)
{
    uint32_t first = 0;
    for (size_t i = 1; i <= SLABS; i++) {
        slab_list_insert(&first, page_map_entry(i));
    }
    page_map_entry(SLABS - 20)->next = UINT32_MAX;
    struct chunk *found = slab_list_fullest(first);
    cr_assert(found >= page_map_entry(SLABS - 20));
    cr_assert(found <= page_map_entry(SLABS));
}

// The list is that of `count` slabs, forwards and backwards.
static void must_be(uint32_t first, const uint32_t *slabs, size_t count)
{
    uint32_t prev = 0, index = first;
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(index, slabs[i]);
        cr_assert_eq(page_map_entry(index)->prev, prev);
        prev = index;
        index = page_map_entry(index)->next;
    }
    cr_assert_eq(index, 0);
}

/* SLAB_LIST-1 */
Test(slab_list, slabs_are_removed_from_its_ends_and_its_middle, .init = start)
{
    uint32_t first = 0;
    for (size_t i = 1; i <= 5; i++) {
        slab_list_insert(&first, page_map_entry(i));
    }
    must_be(first, (const uint32_t[]){5, 4, 3, 2, 1}, 5);
    slab_list_remove(&first, page_map_entry(3));
    must_be(first, (const uint32_t[]){5, 4, 2, 1}, 4);
    slab_list_remove(&first, page_map_entry(1));
    must_be(first, (const uint32_t[]){5, 4, 2}, 3);
    slab_list_remove(&first, page_map_entry(5));
    must_be(first, (const uint32_t[]){4, 2}, 2);
    slab_list_insert(&first, page_map_entry(3));
    must_be(first, (const uint32_t[]){3, 4, 2}, 3);
}
