/* bin.h - what a thread has at hand of one small class: the list from which malloc takes. For the
 * owner of the heap, with heap->busy set.
 *
 * A block that its own thread frees becomes the first of the list: the next malloc of the class
 * gets it while it is warm. From one refill to the next there is room for so many; then blocks go
 * to their slabs.
 */
#ifndef HEAP_BIN_H
#define HEAP_BIN_H

#include "base/fatal.h"
#include "heap/heap_data.h"
#include "heap/slab.h"

static inline void *bin_first(const struct heap *heap, unsigned class)
{
    return link_block(heap->bins[class]);
}

static inline void bin_set_first(struct heap *heap, unsigned class, void *block)
{
    heap->bins[class] = link_to(block);
}

// Empties the bins of a thread that begins.
static inline void bin_clear(void *bins[SMALL_CLASSES])
{
    for (unsigned class = 0; class < SMALL_CLASSES; class ++) {
        bins[class] = link_to(NULL);
    }
}

// The first block, which it takes; NULL: there is none. Dies when it was freed twice in a row.
static inline void *bin_pop(struct heap *heap, unsigned class)
{
    void *block = bin_first(heap, class);
    if (LIKELY(block == NULL)) {
        return NULL;
    }
    if (UNLIKELY(block_link(block) == block)) {
        fatal_double_free(block, size_class_bytes(class), heap->caller);
    }
    heap->bins[class] = block_link(block);
    return block;
}

// Blocks that free put into the bin since the last refill. Any thread, with a racy answer.
static inline unsigned bin_absorbed(const struct heap *heap, unsigned class)
{
    int32_t left = heap->room[class] > 0 ? heap->room[class] : 0;
    int32_t quota = heap->quota[class];
    return quota > left ? (unsigned)(quota - left) : 0;
}

// Blocks in the bin. As the other functions here, dies when they make a ring.
unsigned bin_length(const struct heap *heap, unsigned class);

// Fills the empty bin with a list, makes room behind it, and pops the first block.
void *bin_load(struct heap *heap, unsigned class, void *list, unsigned count);

// Free puts nothing there until the next refill.
void bin_close(struct heap *heap, unsigned class);

// Takes the blocks of a slab out of the bin of its class and puts them on its list again.
void bin_unload(struct heap *heap, struct chunk *slab);

// Takes all blocks but those of the active slab and of other heaps' slabs out of a bin, which is
// closed; linked, or NULL.
void *bin_take_scattered(struct heap *heap, unsigned class);

#endif
