/* heap_check.c - verifies a heap.
 *
 * Owns:       nothing.
 * Threads:    the owner of the heap.
 * Locks:      none.
 * Invariants: checks SLAB-1, SLAB-2, PARTIAL-1 and PARTIAL-2.
 */
#include "heap/heap_check.h"

#include "heap/slab.h"

static unsigned list_length(const void *block)
{
    unsigned length = 0;
    for (; block != NULL; block = block_next(block)) {
        length++;
    }
    return length;
}

static void check_slab(const struct heap *heap, const struct chunk *slab)
{
    enum chunk_state state = chunk_state(slab);
    VERIFY(slab->carved <= slab_capacity(slab));
    VERIFY(list_length(slab_first(slab)) == slab_free_count(slab)); // SLAB-1
    VERIFY(slab_free_count(slab) <= slab->carved);
    VERIFY(state == CHUNK_ACTIVE || state == CHUNK_PARTIAL || state == CHUNK_FULL);
    VERIFY((state == CHUNK_ACTIVE) == (heap->active[slab->class] == slab));
    VERIFY(state != CHUNK_FULL || slab->carved == slab_capacity(slab)); // HEAP-2
}

void heap_check(const struct heap *heap)
{
    unsigned partial[SMALL_CLASSES] = {0};
    for (size_t i = 1; i < page_map_count(); i++) {
        const struct chunk *slab = page_map_entry(i);
        if (chunk_owner(slab) == heap) {
            check_slab(heap, slab);
            partial[slab->class] += chunk_state(slab) == CHUNK_PARTIAL;
        }
    }
    unsigned empties = 0;
    for (unsigned class = 0; class < SMALL_CLASSES; class += 1) {
        for (uint32_t i = heap->partial[class]; i != 0; i = page_map_entry(i)->next) {
            partial[class]--;
        }
        VERIFY(partial[class] == 0); // PARTIAL-1
        empties += heap->empty[class] != 0;
    }
    VERIFY(empties == heap->empties); // PARTIAL-2
}
