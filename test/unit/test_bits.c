/* test_bits.c - arithmetic on sizes and addresses. */
#include "base/bits.h"

#include <criterion/criterion.h>

/* A wrong power-of-two test lets odd alignments through to the allocator. */
Test(bits, only_one_bit_is_a_power_of_two)
{
    cr_assert_not(is_pow2(0));
    for (unsigned i = 0; i < 64; i++) {
        cr_assert(is_pow2((size_t)1 << i));
        cr_assert_eq(is_pow2(((size_t)1 << i) + 1), i == 0);
    }
}

/* Rounding decides where blocks end: one byte wrong overlaps a neighbour. */
Test(bits, rounding_keeps_multiples_and_moves_all_else)
{
    for (size_t unit = 1; unit <= 65536; unit *= 2) {
        for (size_t x = 0; x < 3 * unit; x += unit / 8 + 1) {
            cr_assert_eq(align_up(x, unit), (x + unit - 1) / unit * unit);
            cr_assert_eq(align_down(x, unit), x / unit * unit);
        }
    }
}

/* Bins are chosen by it. */
Test(bits, log2_floor_is_the_highest_bit)
{
    for (unsigned i = 0; i < 64; i++) {
        cr_assert_eq(log2_floor((size_t)1 << i), i);
        cr_assert_eq(log2_floor(((size_t)1 << i) | 1), i);
    }
}

Test(bits, clamp_holds_both_ends)
{
    cr_assert_eq(clamp_size(5, 10, 20), 10);
    cr_assert_eq(clamp_size(15, 10, 20), 15);
    cr_assert_eq(clamp_size(25, 10, 20), 20);
}
