/* malloc.c - C11 7.22.3.4 and malloc(3). */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/harness.h"

TEST(malloc_aligns_every_size_to_16_bytes)
{
    for (size_t size = 0; size <= 4096; size++) {
        void *first = malloc(size);
        void *second = malloc(size);
        REQUIRE(first != NULL);
        REQUIRE(second != NULL);
        REQUIRE(block_is_aligned(first, 16));
        REQUIRE(block_is_aligned(second, 16));
        free(first);
        free(second);
    }
}

TEST(malloc_aligns_the_larger_tiers_to_16_bytes)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        REQUIRE(block_is_aligned(block, 16));
        free(block);
    }
}

TEST(malloc_of_zero_gives_unique_freeable_pointers)
{
    void *blocks[1000];
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = malloc(0);
        REQUIRE(blocks[i] != NULL);
        for (size_t j = 0; j < i; j++) {
            REQUIRE(blocks[i] != blocks[j]);
        }
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        free(blocks[i]);
    }
}

TEST(malloc_above_ptrdiff_max_fails_with_enomem)
{
    const size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096,
                            PTRDIFF_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        errno = 0;
        REQUIRE(malloc(opaque_size(sizes[i])) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
    }
}

TEST(malloc_that_succeeds_keeps_errno)
{
    errno = 77;
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        REQUIRE_EQUAL(errno, 77);
        free(block);
    }
}

TEST(malloc_blocks_of_all_tiers_do_not_overlap)
{
    enum { ROUNDS = 3 };
    void *blocks[ROUNDS][64];
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < g_tier_size_count; i++) {
            blocks[round][i] = malloc(g_tier_sizes[i]);
            REQUIRE(blocks[round][i] != NULL);
            block_fill(blocks[round][i], g_tier_sizes[i], round * 64 + (unsigned)i);
        }
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < g_tier_size_count; i++) {
            REQUIRE(block_holds(blocks[round][i], g_tier_sizes[i], round * 64 + (unsigned)i));
            free(blocks[round][i]);
        }
    }
}

TEST(malloc_goes_on_after_a_refusal)
{
    REQUIRE(malloc(opaque_size(SIZE_MAX / 2 + 1)) == NULL);
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        free(block);
    }
}
