/* meta_alloc.h - memory for our own structures, outside the heap: never freed, type-stable. */
#ifndef BASE_META_ALLOC_H
#define BASE_META_ALLOC_H

#include "base/lock.h"

#include <stddef.h>

// Allocates zeroed memory, aligned to a cache line; NULL if out of memory. Any thread (LOCK_META).
void *meta_alloc(size_t bytes);

void meta_alloc_each_lock(lock_visitor *visit); // for a fork

#endif
