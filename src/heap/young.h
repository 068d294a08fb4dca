/* young.h - a heap's first blocks: few pages for a thread with few blocks of many sizes. For the
 * owner of the heap, with heap->busy set. */
#ifndef HEAP_YOUNG_H
#define HEAP_YOUNG_H

#include "heap/heap_data.h"

// A heap is young until it has borrowed so many blocks.
#define BORROWED_MAX 64

static inline bool young_is(const struct heap *heap)
{
    return heap->borrowed < BORROWED_MAX;
}

// For a class of which a young heap has no slab yet: a block of the next power of two. NULL: the
// class has one, or the larger class none to lend.
void *young_borrow(struct heap *heap, unsigned class);

#endif
