/* blocks.h - block sizes around every tier border, and contents that can be verified. */
#ifndef TEST_SUPPORT_BLOCKS_H
#define TEST_SUPPORT_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

/* Small to 1 KiB, medium to 32 KiB, large to about 1 MiB, huge above. */
extern const size_t g_tier_sizes[];
extern const size_t g_tier_size_count;

/* Writes BYTES bytes that depend on SEED and on their place. */
void block_fill(void *block, size_t bytes, unsigned seed);

/* True when the first BYTES bytes are what block_fill wrote with the same SEED. */
bool block_holds(const void *block, size_t bytes, unsigned seed);

bool block_is_zero(const void *block, size_t bytes);
bool block_is_aligned(const void *block, size_t alignment);

/* The same address in a form that the compiler knows nothing about. */
void *opaque(void *ptr);

/* The same number in a form that the compiler knows nothing about. */
size_t opaque_size(size_t value);

#endif
