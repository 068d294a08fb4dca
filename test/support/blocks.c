/* blocks.c - block contents that can be verified. */
#include "support/blocks.h"

#include <stdint.h>

const size_t g_tier_sizes[] = {
    1,      16,     17,      24,      100,     512,     1000,    1008,     1024,  1025,
    1040,   2048,   4096,    5000,    12345,   32752,   32768,   32769,    50000, 65536,
    100000, 262144, 1048560, 1048576, 1048577, 1310720, 3000001, 8u << 20,
};
const size_t g_tier_size_count = sizeof g_tier_sizes / sizeof g_tier_sizes[0];

static unsigned char pattern_byte(size_t index, unsigned seed)
{
    return (unsigned char)(index * 31 + (index >> 8) * 7 + seed);
}

void block_fill(void *block, size_t bytes, unsigned seed)
{
    unsigned char *at = block;
    for (size_t i = 0; i < bytes; i++) {
        at[i] = pattern_byte(i, seed);
    }
}

bool block_holds(const void *block, size_t bytes, unsigned seed)
{
    const unsigned char *at = block;
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] != pattern_byte(i, seed)) {
            return false;
        }
    }
    return true;
}

bool block_is_zero(const void *block, size_t bytes)
{
    const unsigned char *at = block;
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] != 0) {
            return false;
        }
    }
    return true;
}

bool block_is_aligned(const void *block, size_t alignment)
{
    return (uintptr_t)block % alignment == 0;
}

void *opaque(void *ptr)
{
    void *volatile hidden = ptr;
    return hidden;
}

size_t opaque_size(size_t value)
{
    volatile size_t hidden = value;
    return hidden;
}
