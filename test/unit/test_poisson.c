/* test_poisson.c - gaps and chances of sampling by bytes belong together. */
#include "profile/poisson.h"

#include "base/bits.h"

#include <criterion/criterion.h>
#include <math.h>

/* Wrong digits here would bend every figure of a profile. */
Test(poisson, chance_is_one_minus_exp)
{
    const size_t sizes[] = {1, 16, 100, 4096, 65536, 524288, 1 << 20, 16 << 20, 1UL << 33};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        double expected = -expm1(-(double)sizes[i] / 524288.0);
        cr_assert_float_eq(poisson_chance(sizes[i], 524288) / expected, 1, 1e-9);
    }
    cr_assert_float_eq(poisson_chance(0, 1000), poisson_chance(1, 1000), 1e-12);
    cr_assert_eq(poisson_chance(1, 1), 1);
}

/* The gaps are exponential: their mean, and how many are longer than some lengths. */
Test(poisson, gaps_are_exponential)
{
    enum { GAPS = 400000, MEAN = 100000 };
    uint64_t state = 88172645463325252UL;
    double sum = 0;
    int longer[3] = {0, 0, 0};
    for (int i = 0; i < GAPS; i++) {
        int64_t gap = poisson_gap(xorshift_next(&state), MEAN);
        cr_assert_geq(gap, 0);
        sum += (double)gap;
        longer[0] += gap > MEAN / 10;
        longer[1] += gap > MEAN;
        longer[2] += gap > 3 * MEAN;
    }
    cr_assert_float_eq(sum / GAPS / MEAN, 1, 0.01);
    cr_assert_float_eq((double)longer[0] / GAPS, exp(-0.1), 0.005);
    cr_assert_float_eq((double)longer[1] / GAPS, exp(-1), 0.005);
    cr_assert_float_eq((double)longer[2] / GAPS, exp(-3), 0.003);
    cr_assert_eq(poisson_gap(0, MEAN), (int64_t)(53 * 0.69314718055994530942 * MEAN));
    cr_assert_lt(poisson_gap(UINT64_MAX, 1), 0); // every block, also of no bytes
}

/* POISSON-1: a stream of blocks of mixed sizes, sampled as malloc does: the estimate is right for
 * each size. */
Test(poisson, weighed_samples_stand_for_all_blocks)
{
    enum { MEAN = 5000, BLOCKS = 3000000 };
    const size_t sizes[] = {8, 100, 3000, 70000};
    double estimated[4] = {0};
    uint64_t state = 1234567;
    int64_t left = poisson_gap(xorshift_next(&state), MEAN);
    for (int i = 0; i < BLOCKS; i++) {
        size_t at = (size_t)i % 4;
        left -= (int64_t)sizes[at];
        if (left < 0) {
            estimated[at] += 1 / poisson_chance(sizes[at], MEAN);
            left = poisson_gap(xorshift_next(&state), MEAN);
        }
    }
    const double tolerance[4] = {0.12, 0.04, 0.01, 0.001};
    for (size_t at = 0; at < 4; at++) {
        cr_assert_float_eq(estimated[at] / (BLOCKS / 4.0), 1, tolerance[at]);
    }
}
