/* heap.h - one thread's small tier. All functions are for the owner of the heap, with heap->busy
 * set, and take any lock from LOCK_MAIL down. */
#ifndef HEAP_HEAP_H
#define HEAP_HEAP_H

#include "heap/heap_data.h"

#include <stdbool.h>
#include <stddef.h>

void heap_init(struct heap *heap);

// Fills the empty bin of a class and pops its first block. NULL: no memory, or, without
// `may_grow`, none that we have already.
void *heap_refill(struct heap *heap, unsigned class, bool may_grow);

// Blocks of this heap were there before the fork that made this process. To free one by a link in
// it would copy its page, so they go home by mail, which lies elsewhere, one by one.
void heap_set_inherited(struct heap *heap, bool is_inherited);

// Frees a block that begins in a small slab of somebody else, or of nobody.
void heap_free_foreign(struct heap *heap, struct chunk *slab, void *ptr);

// Any thread, also without a heap: sends one block home, waiting for locks. `caller` for messages.
void heap_free_home(struct chunk *slab, void *ptr, const void *caller);

// Puts all bins, foreign lists and active slabs back; empty slabs go to the page heap. Afterwards
// the heap holds slabs with live blocks only.
void heap_flush(struct heap *heap);

// Purges single free pages of a flushed heap's slabs; bytes given back. For malloc_trim.
size_t heap_purge_pages(struct heap *heap);
// Sends the batches of all transfer pools home. For malloc_trim.
void heap_drain_transfer(struct heap *heap);

// Takes every slab from a heap without a thread; its slabs find the pool or the page heap.
void heap_dissolve(struct heap *heap);

#endif
