/* test_size_class.c - every request finds the smallest class that holds it. */
#include "core/size_class.h"

#include <criterion/criterion.h>

static unsigned class_of(size_t bytes)
{
    return size_class_of(bytes);
}

/* A class too small overlaps blocks, a class too large wastes memory. */
Test(size_class, every_request_gets_the_smallest_class_that_holds_it)
{
    for (size_t bytes = 0; bytes <= SLAB_BYTES_MAX; bytes++) {
        unsigned sc = class_of(bytes);
        cr_assert_lt(sc, CLASSES);
        cr_assert_geq(size_class_bytes(sc), bytes);
        cr_assert(sc == 0 || size_class_bytes(sc - 1) < bytes);
    }
}

/* To 4 KiB; behind that by a quarter: blocks there are made of pages, and most of what a request
 * leaves unused is never touched. */
Test(size_class, blocks_grow_by_an_eighth_at_most)
{
    for (unsigned sc = 1; sc < CLASSES; sc++) {
        size_t smaller = size_class_bytes(sc - 1);
        size_t larger = size_class_bytes(sc);
        size_t most = larger <= 4096 ? smaller / 8 : smaller / 4;
        cr_assert_gt(larger, smaller);
        cr_assert_leq(larger - smaller, most > 16 ? most : 16);
    }
}

/* CLASS-1 */
Test(size_class, all_blocks_are_multiples_of_16_bytes)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        cr_assert_eq(size_class_bytes(sc) % BLOCK_ALIGN_BYTES, 0);
    }
    cr_assert_eq(size_class_bytes(SMALL_CLASSES - 1), SMALL_BYTES_MAX);
    cr_assert_eq(size_class_bytes(MEDIUM_END - 1), MEDIUM_BYTES_MAX);
    cr_assert_eq(size_class_bytes(CLASSES - 1), SLAB_BYTES_MAX);
}

/* CLASS-2 */
Test(size_class, blocks_fit_into_their_slab)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        const struct size_class *shape = &g_size_classes[sc];
        size_t slab_bytes = shape->slab_chunks * CHUNK_BYTES;
        cr_assert_leq((size_t)shape->blocks * shape->block_bytes, slab_bytes);
        cr_assert(size_class_is_small(sc) || shape->blocks <= MEDIUM_BLOCKS_MAX);
    }
}

/* Division by multiplication: exact for every byte of every slab. */
Test(size_class, the_block_index_is_exact)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        size_t slab_bytes = g_size_classes[sc].slab_chunks * CHUNK_BYTES;
        for (size_t offset = 0; offset < slab_bytes; offset++) {
            cr_assert_eq(size_class_block_index(sc, offset), offset / size_class_bytes(sc));
        }
    }
}

/* free never "unaligns" a pointer, so an aligned block must be one of a class. */
Test(size_class, aligned_classes_have_aligned_blocks)
{
    for (size_t alignment = 16; alignment <= CHUNK_BYTES; alignment *= 2) {
        for (size_t bytes = 0; bytes <= SLAB_BYTES_MAX; bytes += 13) {
            unsigned sc = size_class_of_aligned(bytes, alignment);
            cr_assert_leq(sc, CLASSES);
            if (sc < CLASSES) {
                cr_assert_eq(size_class_bytes(sc) % alignment, 0);
                cr_assert_geq(size_class_bytes(sc), bytes);
            }
        }
    }
}

/* CLASS-3: memalign pops a block of the class of the rounded size, whatever slab it comes from. */
Test(size_class, small_classes_of_rounded_sizes_are_aligned)
{
    for (size_t alignment = 1; alignment <= SMALL_BYTES_MAX; alignment *= 2) {
        for (size_t bytes = alignment; bytes <= SMALL_BYTES_MAX; bytes += alignment) {
            cr_assert_eq(size_class_bytes(size_class_of_small(bytes)) % alignment, 0);
        }
    }
}
