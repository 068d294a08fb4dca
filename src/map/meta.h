/* meta.h - memory for our own structures outside the heap: never given back, type-stable. */
#ifndef MAP_META_H
#define MAP_META_H

#include <stddef.h>

// Zeroed memory at a multiple of a cache line; NULL without memory. Thread-safe (LOCK_META).
void *meta_take(size_t bytes);

void meta_prefork(void);
void meta_postfork_parent(void);
void meta_postfork_child(void);

#endif
