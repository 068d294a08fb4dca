/* slab_list.c - slabs linked by their entries in the page map.
 *
 * Owns:       prev and next of the entries of slabs; each insertion resets `looked_at`.
 * Threads:    the holder of the lock of the class.
 * Locks:      takes none.
 * Invariants: SLAB_LIST-1  a slab is on at most one list.
 */
#include "core/slab_list.h"

#include "core/slab.h"

#define LOOKS 8 // slabs compared to find the fullest: bounds the search on long lists

void slab_list_insert(uint32_t *first, struct chunk *slab)
{
    uint32_t index = page_map_index(slab);
    ASSERT(*first != index); // SLAB_LIST-1
    RELAXED_STORE(slab->looked_at, 0);
    slab->prev = 0;
    slab->next = *first;
    if (slab->next != 0) {
        page_map_entry(slab->next)->prev = index;
    }
    *first = index;
}

void slab_list_remove(uint32_t *first, struct chunk *slab)
{
    ASSERT(slab->prev != 0 || *first == page_map_index(slab)); // SLAB_LIST-1
    if (slab->next != 0) {
        page_map_entry(slab->next)->prev = slab->prev;
    }
    uint32_t *link = slab->prev != 0 ? &page_map_entry(slab->prev)->next : first;
    *link = slab->next;
    slab->prev = 0;
    slab->next = 0;
}

struct chunk *slab_list_fullest(uint32_t first)
{
    struct chunk *best = NULL;
    unsigned best_out = 0;
    uint32_t index = first;
    for (unsigned i = 0; i < LOOKS && index != 0; i++) {
        struct chunk *slab = page_map_entry(index);
        unsigned out = slab_out_count(slab);
        if (best == NULL || out > best_out || (out == best_out && slab < best)) {
            best = slab;
            best_out = out;
        }
        index = slab->next;
    }
    ASSERT(best != NULL || first == 0);
    return best;
}
