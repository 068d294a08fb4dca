/* partial.c - the slabs of a heap that have free blocks and are not active.
 *
 * Owns:       the links and heads of the partial lists, one for each class of a heap.
 * Threads:    the owner of the heap.
 * Locks:      none.
 * Invariants: PARTIAL-1  a slab is on the list of its class exactly while CHUNK_PARTIAL.
 *             PARTIAL-2  empties is the number of classes with a kept empty slab, which is on
 *                        their list.
 */
#include "heap/partial.h"

#include "heap/slab.h"

#define LOOKS 8 // slabs compared for the fullest

void partial_insert(struct heap *heap, struct chunk *slab)
{
    uint32_t index = page_map_index(slab);
    uint32_t *head = &heap->partial[slab->class];
    slab->looked_at = 0;
    slab->prev = 0;
    slab->next = *head;
    if (*head != 0) {
        page_map_entry(*head)->prev = index;
    }
    *head = index;
    chunk_set_state(slab, CHUNK_PARTIAL); // PARTIAL-1
}

void partial_remove(struct heap *heap, struct chunk *slab)
{
    ASSERT(chunk_state(slab) == CHUNK_PARTIAL);
    if (slab->next != 0) {
        page_map_entry(slab->next)->prev = slab->prev;
    }
    if (slab->prev != 0) {
        page_map_entry(slab->prev)->next = slab->next;
    } else {
        heap->partial[slab->class] = slab->next;
    }
    if (heap->empty[slab->class] == page_map_index(slab)) {
        heap->empty[slab->class] = 0;
        heap->empties--; // PARTIAL-2
    }
}

struct chunk *partial_take(struct heap *heap, unsigned class)
{
    struct chunk *best = NULL;
    unsigned best_free = 0;
    uint32_t index = heap->partial[class];
    for (int i = 0; i < LOOKS && index != 0; i++) {
        struct chunk *slab = page_map_entry(index);
        unsigned free = slab_free_count(slab);
        if (best == NULL || free < best_free || (free == best_free && slab < best)) {
            best = slab;
            best_free = free;
        }
        index = slab->next;
    }
    if (best != NULL) {
        partial_remove(heap, best);
        chunk_set_state(best, CHUNK_ACTIVE);
    }
    return best;
}
