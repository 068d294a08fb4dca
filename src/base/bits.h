/* bits.h - arithmetic on sizes and addresses. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool is_pow2(size_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

// Rounds x up to a multiple of `unit` (a power of two); wraps if x is within `unit` of the maximum.
static inline size_t align_up(size_t x, size_t unit)
{
    return (x + unit - 1) & ~(unit - 1);
}

static inline size_t align_down(size_t x, size_t unit)
{
    return x & ~(unit - 1);
}

// x must not be 0.
static inline unsigned log2_floor(size_t x)
{
    return 63U - (unsigned)__builtin_clzll(x);
}

static inline size_t clamp_size(size_t x, size_t low, size_t high)
{
    return x < low ? low : x > high ? high : x;
}

static inline size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static inline size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

// The next number of a sequence with period 2^64 - 1; the state must not be 0. [Marsaglia]
static inline uint64_t xorshift_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

#endif
