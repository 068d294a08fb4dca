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
