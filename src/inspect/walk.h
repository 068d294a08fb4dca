/* walk.h - a list of all blocks, drawn up at one moment. Any thread. */
#ifndef INSPECT_WALK_H
#define INSPECT_WALK_H

#include "myalloc.h"

#include <stdbool.h>

// What was seen: memory of its own, outside of the heap.
struct walk;

// Looks at everything; NULL without memory for it. What other threads allocate, free or resize
// meanwhile may be told of as it was before, or not at all, or with another size.
struct walk *walk_begin(void);
// The next block into *block; false: there is none, and the walk is over and gone.
bool walk_next(struct walk *walk, struct myalloc_block *block);
void walk_end(struct walk *walk);

#endif
