/* poisson.c - the two functions that sampling by bytes needs.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      none.
 * Invariants: POISSON-1  both use one distribution: a sampled block weighted by
 *                        1 / poisson_chance() is an unbiased estimate of the blocks allocated.
 */
#include "profile/poisson.h"

#define LN_2     0.69314718055994530942
#define MANTISSA 52
#define BIAS     1023

// ln x of a normal number above 0: 2 artanh((m - 1) / (m + 1)) + e ln 2, to ten digits.
static double logarithm(double x)
{
    union {
        double number;
        uint64_t bits;
    } u = {x};
    int exponent = (int)(u.bits >> MANTISSA) - BIAS;
    u.bits = (u.bits & ((1UL << MANTISSA) - 1)) | (uint64_t)BIAS << MANTISSA;
    double m = u.number; // 1 to 2
    if (m > 1.41421356) {
        m /= 2;
        exponent++;
    }
    double t = (m - 1) / (m + 1);
    double square = t * t;
    double sum = 0;
    for (int n = 15; n >= 1; n -= 2) {
        sum = sum * square + 1.0 / n;
    }
    return 2 * t * sum + exponent * LN_2;
}

int64_t poisson_gap(uint64_t random, uint64_t mean_bytes)
{
    if (mean_bytes <= 1) {
        return -1;
    }
    double uniform = ((double)(random >> 11) + 1) / (double)(1UL << 53); // above 0, at most 1
    return (int64_t)(-logarithm(uniform) * (double)mean_bytes);
}

double poisson_chance(size_t bytes, uint64_t mean_bytes)
{
    double x = (double)(bytes != 0 ? bytes : 1) / (double)mean_bytes;
    if (mean_bytes <= 1 || x > 40) {
        return 1;
    }
    int halvings = 0;
    while (x > 1.0 / 16) {
        x /= 2;
        halvings++;
    }
    double chance = 0; // 1 - exp(-x) by its series, exact also for small x
    for (int n = 8; n >= 1; n--) {
        chance = (1 - chance) * x / n;
    }
    while (halvings-- > 0) { // 1 - (1 - c)^2
        chance = chance * (2 - chance);
    }
    return chance;
}
