/* heap_check.h - verifies a heap, for tests. */
#ifndef HEAP_HEAP_CHECK_H
#define HEAP_HEAP_CHECK_H

#include "heap/heap_data.h"

// Verifies every invariant of a quiet heap; dies otherwise. Owner only.
void heap_check(const struct heap *heap);

#endif
