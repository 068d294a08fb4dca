/* large.h - blocks that are spans of their own: 32 KiB to about 1 MiB. Any thread. */
#ifndef CORE_LARGE_H
#define CORE_LARGE_H

#include "base/compiler.h"
#include "pages/page_map.h"

#include <stdbool.h>
#include <stddef.h>

// Allocates at least `bytes` at a multiple of `alignment` (a power of two); NULL if out of memory.
// *clean: in: zeros are wanted; out: all bytes are zero.
void *large_allocate(size_t bytes, size_t alignment, bool *clean);

// The same for a block that realloc moves: leaves room after it, to grow further in place.
void *large_allocate_growing(size_t bytes, size_t roomy_bytes);

// Allocates a block with the size of a size class, but in a span of its own: the fast path of free
// misses it.
COLD void *large_allocate_placed(size_t bytes, size_t alignment, bool *clean);

// Frees the block whose first chunk is `head`.
void large_free(struct chunk *head);

// Resizes without moving; false: not possible, nothing changed. Added bytes are not zeroed.
bool large_resize(struct chunk *head, size_t bytes);

#endif
