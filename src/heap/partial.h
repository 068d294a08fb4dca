/* partial.h - the slabs of a heap that have free blocks and are not active. For its owner. */
#ifndef HEAP_PARTIAL_H
#define HEAP_PARTIAL_H

#include "heap/heap_data.h"

// Files a slab of the heap, which becomes PARTIAL.
void partial_insert(struct heap *heap, struct chunk *slab);
// Takes it off its list; its state is the caller's to change.
void partial_remove(struct heap *heap, struct chunk *slab);

// Takes the fullest of the first few of a class, the lowest among equals, and makes it ACTIVE: what
// is nearly empty gets the chance to empty. NULL when there is none.
struct chunk *partial_take(struct heap *heap, unsigned class);

#endif
