/* test_emergency.c - blocks for signal handlers that interrupted the allocator. */
#include "core/emergency.h"
#include "base/config.h"

#include <criterion/criterion.h>
#include <string.h>

Test(emergency, blocks_are_zero_aligned_and_apart)
{
    char *before = NULL;
    size_t before_bytes = 0;
    for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
        char *block = emergency_allocate(100, alignment);
        cr_assert_not_null(block);
        cr_assert_eq((size_t)block % alignment, 0);
        cr_assert_geq(emergency_usable_bytes(block), 100);
        cr_assert(block >= before + before_bytes || block + 100 <= before);
        for (size_t i = 0; i < 100; i++) {
            cr_assert_eq(block[i], 0);
        }
        before = block;
        before_bytes = emergency_usable_bytes(block);
        memset(block, 1, before_bytes);
    }
}

/* EMERGENCY-1, EMERGENCY-2: free asks, for each pointer that it does not know. */
Test(emergency, blocks_are_known_and_others_are_not)
{
    int other = 0;
    cr_assert_not(emergency_is_inside(&other));
    cr_assert_not(emergency_is_inside(NULL));
    char *block = emergency_allocate(64, 16);
    cr_assert(emergency_is_inside(block));
    cr_assert(emergency_is_inside(block + 63));
    cr_assert_not(emergency_is_inside(&other));
}

/* An area is 1 MiB: a longer block, or many of them, need more. */
Test(emergency, there_is_more_than_one_area)
{
    char *longer = emergency_allocate(8 << 20, 16);
    cr_assert_not_null(longer);
    memset(longer, 1, 8 << 20);
    for (int i = 0; i < 3000; i++) {
        char *block = emergency_allocate(1000, 16);
        cr_assert_not_null(block);
        cr_assert(emergency_is_inside(block));
        memset(block, 2, 1000);
    }
    cr_assert(emergency_is_inside(longer + (8 << 20) - 1));
    cr_assert_eq(longer[(8 << 20) - 1], 1);
    cr_assert_null(emergency_allocate(EMERGENCY_BYTES_MAX + 1, 16));
}
