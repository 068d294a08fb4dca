/* large.h - blocks that are spans of their own: 32 KiB to about 1 MiB. Any thread. */
#ifndef CORE_LARGE_H
#define CORE_LARGE_H

#include "base/compiler.h"
#include "pages/page_map.h"

#include <stdbool.h>
#include <stddef.h>

// A block of at least `bytes` at a multiple of `alignment` (a power of two); NULL without memory.
// *clean: all bytes are zero.
void *large_allocate(size_t bytes, size_t alignment, bool *clean);

// The same for a block that a realloc moves: with room behind it to grow further in place.
void *large_allocate_growing(size_t bytes, size_t roomy_bytes);

// A block of exactly so many usable bytes, of a size class, in a span of its own: its free misses.
COLD void *large_allocate_placed(size_t bytes, size_t alignment, bool *clean);

// Frees the block whose first chunk is `head`.
void large_free(struct chunk *head);

// Resizes without moving; false: it cannot be, nothing changed. Bytes gained are not zeroed.
bool large_resize(struct chunk *head, size_t bytes);

#endif
