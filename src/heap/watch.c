/* watch.c - looks at the first local frees of each small class.
 *
 * Owns:       heap->watched, heap->watched_slabs.
 * Threads:    the owner of the heap.
 * Locks:      none.
 * Invariants: WATCH-1  a free block is read only after its address was found in the map.
 */
#include "heap/watch.h"

#include "heap/slab.h"

#define LOOKS 64 // blocks of a list that are compared

// True when a block of the class that was carved begins at `ptr`.
static bool is_block(const void *ptr, unsigned class)
{
    const struct chunk *slab = page_map_entry(page_map_find(ptr));
    return chunk_is_small(slab) && slab->class == class &&
           slab_block_index(slab, ptr) < slab_reached(slab);
}

// True when `ptr` is among the first blocks of a bin, which may hold blocks of any slab.
static bool bin_has(const struct heap *heap, const struct chunk *slab, const void *ptr)
{
    const void *block = link_block(heap->bins[slab->class]);
    for (unsigned i = 0; i < LOOKS && block != NULL; i++) {
        if (block == ptr) {
            return true;
        }
        if (!is_block(block, slab->class)) { // WATCH-1
            fatal_overwritten_block(ptr, size_class_bytes(slab->class), heap->caller);
        }
        block = block_next(block);
    }
    return false;
}

// The same for the list of a slab, which holds no others and ends where its count says.
static bool list_has(const struct heap *heap, const struct chunk *slab, const void *ptr)
{
    unsigned count = slab_free_count(slab);
    const void *block = block_next(slab->free);
    bool is_whole = true;
    for (unsigned i = 1; i < count && i < LOOKS && is_whole; i++) {
        if (block == ptr) {
            return true;
        }
        is_whole = slab_block_index(slab, block) < slab_reached(slab); // WATCH-1
        block = is_whole ? block_next(block) : NULL;
    }
    if (!is_whole || (count <= LOOKS && block != NULL)) {
        fatal_overwritten_block(ptr, size_class_bytes(slab->class), heap->caller);
    }
    return false;
}

void watch_free(struct heap *heap, const struct chunk *slab)
{
    const void *ptr = slab->free;
    size_t bytes = size_class_bytes(slab->class);
    heap->watched[slab->class] = (uint8_t)min_size(heap->watched[slab->class] + 1U, WATCHED_FREES);
    if ((uintptr_t)ptr % BLOCK_ALIGN_BYTES != 0) {
        fatal_misaligned_free(ptr, heap->caller);
    }
    if (slab_block_index(slab, ptr) >= slab_reached(slab)) {
        fatal_interior_free(ptr, bytes, heap->caller);
    }
    if (list_has(heap, slab, ptr) || bin_has(heap, slab, ptr)) {
        fatal_double_free(ptr, bytes, heap->caller);
    }
}

void watch_lists(struct heap *heap)
{
    heap->watched_slabs++;
    for (unsigned class = 0; class < SMALL_CLASSES; class += 1) {
        const struct chunk *slab = heap->active[class];
        const void *ptr = slab != NULL ? slab_first(slab) : NULL;
        const void *next = ptr != NULL ? block_next(ptr) : NULL;
        if (next != NULL && !is_block(next, class)) {
            fatal_overwritten_block(ptr, size_class_bytes(class), heap->caller);
        }
    }
}

void watch_bin(const struct heap *heap, unsigned class)
{
    const void *first = link_block(heap->bins[class]);
    const void *ptr = first;
    unsigned length = 0;
    while (ptr != NULL && is_block(ptr, class)) { // WATCH-1
        if (++length > BIN_BLOCKS_MAX) {
            fatal_double_free(first, size_class_bytes(class), heap->caller);
        }
        ptr = block_next(ptr);
    }
}
