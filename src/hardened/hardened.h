/* hardened.h - hardened mode: which of its two tiers serves a block. Any thread, inside a slow
 * path, except the usual malloc and free. */
#ifndef HARDENED_HARDENED_H
#define HARDENED_HARDENED_H

#include "hardened/guarded.h"
#include "hardened/harden.h"
#include "core/finding.h"

#include <stdbool.h>
#include <stddef.h>

// Looks up `ptr` in the span of `head`, a HSLAB or GUARDED.
struct block hardened_find(struct chunk *head, const void *ptr);
// Like huge_usable_bytes, for a block of this mode.
struct block hardened_find_huge(const void *ptr);

// False when the block in use was not allocated with `bytes`, or does not lie at a multiple of
// `alignment`, or that is no power of two.
bool hardened_is_like(const struct block *block, const void *ptr, size_t bytes, size_t alignment);

// Allocates zeroed memory; NULL when out of memory. `room`: see guarded_allocate.
void *hardened_allocate(size_t bytes, size_t room, size_t alignment);
void hardened_free(const struct block *block, void *ptr, const void *caller);
// Returns the block, possibly moved; NULL when a copy is needed.
void *hardened_resize(const struct block *block, void *ptr, size_t bytes, const void *caller);
// malloc_trim; returns the bytes released.
size_t hardened_trim(const void *caller);

// The usual malloc and free of this mode; NULL and false: take the long path.
void *hardened_allocate_usual(size_t bytes, const void *caller);
// The same at a multiple of `alignment`, a power of two.
void *hardened_allocate_aligned(size_t bytes, size_t alignment, const void *caller);
bool hardened_free_usual(void *ptr, const void *caller);

#endif
