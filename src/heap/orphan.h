/* orphan.h - heaps of dead threads: parked whole, adopted by the next thread, or dissolved. */
#ifndef HEAP_ORPHAN_H
#define HEAP_ORPHAN_H

#include "heap/heap_data.h"

#include <stdbool.h>

// The heap parked last, else a new one; NULL without memory.
struct heap *orphan_adopt(void);
// A flushed heap whose thread is gone.
void orphan_park(struct heap *heap);
// Dissolves every parked or inherited heap that still has slabs, so that others can use them;
// false: none had.
bool orphan_dissolve_all(void);

// Visits all heaps ever made: the one after `heap`, the first after NULL, NULL at the end.
struct heap *orphan_next_heap(const struct heap *heap);

// In the child of a fork: parks the heaps of all threads but the caller's, that is those bound and
// not in the middle of a slow path; the others are lost to the child.
void orphan_adopt_after_fork(const struct heap *own);
// In the child of a fork, for the heap of the forking thread, which leaves it: nothing is flushed,
// so that no page is written to and copied. orphan_dissolve_all takes it apart with the others.
void orphan_inherit(struct heap *heap);

// Between the two no heap is parked: a thread that ends waits, and its bins stay readable.
void orphan_hold(void);
void orphan_let_go(void);

void orphan_prefork(void);
void orphan_postfork_parent(void);
void orphan_postfork_child(void);

#endif
