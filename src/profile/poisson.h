/* poisson.h - sampling by bytes: the gap to the next sample, and the chance that a block of a given
 * size is one. No libm: nothing here calls anything. */
#ifndef PROFILE_POISSON_H
#define PROFILE_POISSON_H

#include <stddef.h>
#include <stdint.h>

// Bytes until the next sample, exponentially distributed with mean `mean_bytes`; negative for 1,
// which samples every block. `random`: 64 random bits.
int64_t poisson_gap(uint64_t random, uint64_t mean_bytes);

// 1 - exp(-bytes / mean_bytes), the chance that a block is sampled: above 0, at most 1.
double poisson_chance(size_t bytes, uint64_t mean_bytes);

#endif
