/* walk.h - a snapshot of all blocks. Any thread. */
#ifndef INSPECT_WALK_H
#define INSPECT_WALK_H

#include "myalloc.h"

#include <stdbool.h>

// The snapshot, in memory of its own outside of the heap.
struct walk;

// Takes the snapshot; NULL when out of memory. Blocks that other threads allocate, free or resize
// meanwhile may be reported as they were before, or not at all, or with another size.
struct walk *walk_begin(void);
// Stores the next block into *block; false: there is none, and the walk has been freed.
bool walk_next(struct walk *walk, struct myalloc_block *block);
void walk_end(struct walk *walk);

#endif
