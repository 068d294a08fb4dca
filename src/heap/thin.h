/* thin.h - single pages of slabs of which little is left in use. For the owner of the heap, with
 * heap->busy set. */
#ifndef HEAP_THIN_H
#define HEAP_THIN_H

#include "heap/heap_data.h"

// The heap takes `bytes` of memory that were not resident: gives some of its own back for them.
// Bounded work.
void thin_out(struct heap *heap, size_t bytes);

#endif
