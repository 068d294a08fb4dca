/* young.c - a heap's first blocks.
 *
 * Owns:       heap->borrowed.
 * Threads:    the owner, with heap->busy set.
 * Locks:      takes none itself; heap.c beside it does.
 * Invariants: YOUNG-1  the bin and the list of a slab that lends stay as they are: a signal handler
 *                      that borrows may have interrupted the fast path in that class.
 */
#include "heap/young.h"

#include "base/bits.h"
#include "heap/bin.h"
#include "heap/heap.h"
#include "heap/slab.h"

void *young_borrow(struct heap *heap, unsigned class)
{
    unsigned from = size_class_of_small(1UL << (log2_floor(size_class_bytes(class) - 1) + 1));
    struct chunk *lender = heap->active[from];
    void *ptr = NULL;
    if (heap->active[class] != NULL) {
        return NULL;
    }
    if (lender != NULL) {
        ptr = slab_carve_one(lender); // YOUNG-1
        heap->handed[from] += ptr != NULL;
    } else if (bin_first(heap, from) == NULL) {
        heap->carves_one = true; // YOUNG-1: the bin would not be lent from
        ptr = heap_refill(heap, from, false);
        heap->carves_one = false;
    }
    heap->borrowed = (uint8_t)(heap->borrowed + (ptr != NULL));
    return ptr;
}
