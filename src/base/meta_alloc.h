/* meta_alloc.h - memory for our own structures outside the heap: never given back, type-stable. */
#ifndef BASE_META_ALLOC_H
#define BASE_META_ALLOC_H

#include "base/lock.h"

#include <stddef.h>

// Zeroed memory at a multiple of a cache line; NULL without memory. Thread-safe (LOCK_META).
void *meta_alloc(size_t bytes);

void meta_alloc_each_lock(lock_visitor *visit); // for a fork

#endif
