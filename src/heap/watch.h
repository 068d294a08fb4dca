/* watch.h - looks at the first local frees of each small class: mistakes that a program makes from
 * its start are noticed at the free itself, at no cost for the fast path. Owner of the heap only.
 */
#ifndef HEAP_WATCH_H
#define HEAP_WATCH_H

#include "heap/heap_data.h"

#include <stdbool.h>

#define WATCHED_FREES 32 // of each class and heap
#define WATCHED_SLABS 64 // of each heap

static inline bool watch_is_on(const struct heap *heap, unsigned class)
{
    return heap->watched[class] < WATCHED_FREES;
}

// Looks at the block that was put on the list of an own slab last; dies when it begins nowhere,
// stands on the list or in the bin already, or lies on a list that was written over.
void watch_free(struct heap *heap, const struct chunk *slab);

// Looks at a whole bin; dies when it is a ring, since a block was freed twice. Of another class a
// signal handler may take and write to blocks meanwhile: a link that leads nowhere says nothing.
void watch_bin(const struct heap *heap, unsigned class);

// True for the first slabs that the heap needs.
static inline bool watch_lists_is_on(const struct heap *heap)
{
    return heap->watched_slabs < WATCHED_SLABS;
}

// Looks at what stands first on the lists of the active slabs; dies when it was written over.
void watch_lists(struct heap *heap);

#endif
