/* walk.h - a list of all blocks, drawn up at one moment. Any thread. */
#ifndef HEAP_WALK_H
#define HEAP_WALK_H

#include "heap/heap_data.h"
#include "myalloc.h"

#include <stdbool.h>

// What was seen: memory of its own, outside of the heap.
struct walk;

// Looks at everything; NULL without memory for it. `own` is the caller's heap or NULL; with
// `others`, bins of other threads are looked at too: it must be known when a thread ends.
struct walk *walk_begin(const struct heap *own, bool others);
// The next block into *block; false: there is none, and the walk is over and gone.
bool walk_next(struct walk *walk, struct myalloc_block *block);
void walk_end(struct walk *walk);

#endif
