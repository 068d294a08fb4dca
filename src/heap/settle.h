/* settle.h - small slabs whose blocks come back: into which state they go, when they are looked at
 * again. For the owner of the heap, with heap->busy set. */
#ifndef HEAP_SETTLE_H
#define HEAP_SETTLE_H

#include "heap/heap_data.h"

// Puts a block on the list of its slab, which is one of this heap.
void settle_block(struct heap *heap, struct chunk *slab, void *ptr);

// A countdown of one of our slabs ran down: enough of its blocks came back.
void settle_event(struct heap *heap, struct chunk *slab);

// Blocks came back to a slab that is not active: moves it on and sets its next countdown.
void settle_slab(struct heap *heap, struct chunk *slab);

// Free blocks that a FULL slab sleeps for.
unsigned settle_wake_count(const struct chunk *slab);

// The countdown of an active slab.
uint32_t settle_countdown(const struct heap *heap, const struct chunk *slab);

// The active slab of a class stops being it; settle_slab comes next.
void settle_deactivate(struct heap *heap, struct chunk *slab);

// Gives a slab of which no block is in use, and which is on no list, to the page heap.
void settle_give(struct chunk *slab);

// Gives the empty slab of a class that is kept, if there is one.
void settle_give_empty(struct heap *heap, unsigned class);

#endif
