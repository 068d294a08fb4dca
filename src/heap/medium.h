/* medium.h - blocks of 1 to 32 KiB: slabs shared by all threads, magazines in front of them.
 *
 * Functions with a heap are for its owner, with heap->busy set; the others for any thread. */
#ifndef HEAP_MEDIUM_H
#define HEAP_MEDIUM_H

#include "heap/heap_data.h"

#include <stdbool.h>
#include <stddef.h>

enum medium_finding {
    MEDIUM_IN_USE,
    MEDIUM_FREED,    // the block that begins here is free: a double free
    MEDIUM_INTERIOR, // no block begins here
};

// A block of a medium class; NULL without memory. *clean: all bytes are zero.
void *medium_take(struct heap *heap, unsigned class, bool *clean);

// What stands at `ptr`, which lies in the slab that begins at `slab`.
enum medium_finding medium_find(const struct granule *slab, const void *ptr);

// Frees a block in use into the magazine.
void medium_give(struct heap *heap, struct granule *slab, void *ptr);
// The same without a heap: straight into the slab.
void medium_give_direct(struct granule *slab, void *ptr);

// Empties all magazines.
void medium_flush(struct heap *heap);

// Purges whole pages of free blocks; bytes given back. For malloc_trim.
size_t medium_purge(void);

// Blocks of a slab that are in the user's hands.
unsigned medium_live_count(const struct granule *slab);

void medium_check(void);

void medium_prefork(void);
void medium_postfork_parent(void);
void medium_postfork_child(void);

#endif
