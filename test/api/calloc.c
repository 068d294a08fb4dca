/* calloc.c - C11 7.22.3.2 and calloc(3). */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/blocks.h"
#include "support/harness.h"

/* Leaves COUNT dirty blocks of SIZE bytes for the next caller to find. */
static void leave_dirty_blocks(size_t size, size_t count)
{
    void *blocks[16];
    REQUIRE(count <= COUNT_OF(blocks));
    for (size_t i = 0; i < count; i++) {
        blocks[i] = malloc(size);
        REQUIRE(blocks[i] != NULL);
        memset(blocks[i], 0xff, size);
    }
    for (size_t i = 0; i < count; i++) {
        free(blocks[i]);
    }
}

TEST(calloc_zeroes_reused_memory_of_every_tier)
{
    enum { COUNT = 8 };
    for (size_t i = 0; i < g_tier_size_count; i++) {
        size_t size = g_tier_sizes[i];
        leave_dirty_blocks(size, COUNT);
        void *blocks[COUNT];
        for (size_t j = 0; j < COUNT; j++) {
            blocks[j] = calloc(1, size);
            REQUIRE(blocks[j] != NULL);
            REQUIRE(block_is_aligned(blocks[j], 16));
            REQUIRE(block_is_zero(blocks[j], size));
        }
        for (size_t j = 0; j < COUNT; j++) {
            free(blocks[j]);
        }
    }
}

TEST(calloc_zeroes_memory_that_had_another_size_before)
{
    for (size_t from = 0; from < g_tier_size_count; from++) {
        for (size_t to = 0; to < g_tier_size_count; to += 3) {
            leave_dirty_blocks(g_tier_sizes[from], 2);
            void *block = calloc(g_tier_sizes[to], 1);
            REQUIRE(block != NULL);
            REQUIRE(block_is_zero(block, g_tier_sizes[to]));
            free(block);
        }
    }
}

/* Some programs use all that malloc_usable_size promises, and take it for zero. */
TEST(calloc_zeroes_all_usable_bytes)
{
    enum { COUNT = 4, STEP = 7 };
    for (size_t size = 0; size < 2 * MIB; size += size < 200 ? 1 : size / STEP) {
        leave_dirty_blocks(size + size / 5, COUNT);
        leave_dirty_blocks(size, COUNT);
        void *blocks[COUNT];
        for (size_t i = 0; i < COUNT; i++) {
            blocks[i] = calloc(1, size);
            REQUIRE(blocks[i] != NULL);
            REQUIRE(malloc_usable_size(blocks[i]) >= size);
            REQUIRE(block_is_zero(blocks[i], malloc_usable_size(blocks[i])));
        }
        for (size_t i = 0; i < COUNT; i++) {
            free(blocks[i]);
        }
    }
}

TEST(calloc_that_overflows_fails_with_enomem)
{
    const size_t pairs[][2] = {
        {SIZE_MAX, 2},
        {2, SIZE_MAX},
        {SIZE_MAX / 2 + 1, 2},
        {(size_t)1 << 32, (size_t)1 << 32},
        {((size_t)1 << 33) + 1, (size_t)1 << 31},
        {1, (size_t)PTRDIFF_MAX + 1},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        errno = 0;
        REQUIRE(calloc(opaque_size(pairs[i][0]), opaque_size(pairs[i][1])) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
    }
}

TEST(calloc_of_zero_members_or_bytes_gives_freeable_pointers)
{
    void *no_members = calloc(0, 8);
    void *no_bytes = calloc(8, 0);
    REQUIRE(no_members != NULL);
    REQUIRE(no_bytes != NULL);
    REQUIRE(no_members != no_bytes);
    free(no_members);
    free(no_bytes);
}

TEST(calloc_multiplies_its_arguments)
{
    unsigned char *block = calloc(1000, 37);
    REQUIRE(block != NULL);
    REQUIRE(block_is_zero(block, 37000));
    block_fill(block, 37000, 5);
    REQUIRE(block_holds(block, 37000, 5));
    free(block);
}
