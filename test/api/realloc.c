/* realloc.c - C11 7.22.3.5 and realloc(3), with glibc's choice for size 0. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/blocks.h"
#include "support/harness.h"
#include "support/process.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

TEST(realloc_keeps_contents_across_all_pairs_of_sizes)
{
    for (size_t from = 0; from < g_tier_size_count; from++) {
        for (size_t to = 0; to < g_tier_size_count; to++) {
            void *block = malloc(g_tier_sizes[from]);
            REQUIRE(block != NULL);
            size_t kept = smaller(g_tier_sizes[from], g_tier_sizes[to]);
            block_fill(block, kept, (unsigned)(from + to));
            void *moved = realloc(block, g_tier_sizes[to]);
            REQUIRE(moved != NULL);
            REQUIRE(block_is_aligned(moved, 16));
            REQUIRE(block_holds(moved, kept, (unsigned)(from + to)));
            free(moved);
        }
    }
}

TEST(realloc_keeps_contents_with_live_neighbours)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        size_t size = g_tier_sizes[i];
        void *before = malloc(size);
        void *block = malloc(size);
        void *after = malloc(size);
        REQUIRE(before != NULL && block != NULL && after != NULL);
        block_fill(before, size, 1);
        block_fill(block, size, 2);
        block_fill(after, size, 3);
        block = realloc(block, size * 2 + 1);
        REQUIRE(block != NULL);
        block_fill((char *)block + size, size + 1, 4);
        REQUIRE(block_holds(before, size, 1));
        REQUIRE(block_holds(block, size, 2));
        REQUIRE(block_holds(after, size, 3));
        free(before);
        free(block);
        free(after);
    }
}

TEST(realloc_grows_byte_by_byte_through_the_small_tier)
{
    unsigned char *block = malloc(1);
    REQUIRE(block != NULL);
    block[0] = 0;
    for (size_t size = 2; size <= 6000; size++) {
        block = realloc(block, size);
        REQUIRE(block != NULL);
        block[size - 1] = (unsigned char)size;
        REQUIRE_EQUAL(block[size / 2], (unsigned char)(size / 2 + 1));
    }
    free(block);
}

TEST(realloc_appends_4_kib_at_a_time_to_32_mib)
{
    enum { STEP_BYTES = 4096 };
    char *block = NULL;
    for (size_t bytes = STEP_BYTES; bytes <= 32 * MIB; bytes += STEP_BYTES) {
        block = realloc(block, bytes);
        REQUIRE(block != NULL);
        memset(block + bytes - STEP_BYTES, (int)(bytes / STEP_BYTES % 251), STEP_BYTES);
    }
    for (size_t at = 0; at < 32 * MIB; at += STEP_BYTES) {
        REQUIRE_EQUAL((unsigned char)block[at], (at / STEP_BYTES + 1) % 251);
    }
    free(block);
}

TEST(realloc_to_the_size_asked_for_moves_nothing)
{
    for (size_t size = 1; size <= 5000; size += 1 + size / 40) {
        char *block = malloc(size);
        REQUIRE(block != NULL);
        REQUIRE(realloc(block, size) == block);
        free(block);
    }
}

/* A block that grows by steps gets room for more of them. */
TEST(realloc_by_small_steps_moves_seldom)
{
    ONLY_LIBRARY();
    enum { FIRST = 4000, LAST = 28000, STEP = 100 };
    char *blocks[2] = {malloc(FIRST), malloc(FIRST)};
    int moves = 0;
    for (size_t size = FIRST; size < LAST; size += STEP) {
        for (int i = 0; i < 2; i++) {
            char *grown = realloc(blocks[i], size);
            REQUIRE(grown != NULL);
            moves += grown != blocks[i];
            blocks[i] = grown;
        }
    }
    REQUIRE(moves <= 2 * 8);
    free(blocks[0]);
    free(blocks[1]);
}

TEST(realloc_of_null_is_malloc)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = realloc(NULL, g_tier_sizes[i]);
        REQUIRE(block != NULL);
        block_fill(block, g_tier_sizes[i], 9);
        free(block);
    }
    void *empty = realloc(NULL, 0);
    REQUIRE(empty != NULL);
    free(empty);
}

TEST(realloc_to_zero_frees_and_returns_null)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        errno = 77;
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        REQUIRE(realloc(block, opaque_size(0)) == NULL);
        REQUIRE_EQUAL(errno, 77);
    }
    size_t rss_before = process_rss_bytes();
    for (int i = 0; i < 2000; i++) {
        void *block = malloc(100 * KIB);
        REQUIRE(block != NULL);
        memset(block, 1, 100 * KIB);
        REQUIRE(realloc(block, opaque_size(0)) == NULL);
    }
    REQUIRE(process_rss_bytes() < rss_before + 16 * MIB);
}

TEST(realloc_that_fails_keeps_the_block)
{
    const size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX, (size_t)PTRDIFF_MAX - 4096};
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        block_fill(block, g_tier_sizes[i], 6);
        for (size_t j = 0; j < COUNT_OF(sizes); j++) {
            errno = 0;
            REQUIRE(realloc(block, opaque_size(sizes[j])) == NULL);
            REQUIRE_EQUAL(errno, ENOMEM);
        }
        REQUIRE(block_holds(block, g_tier_sizes[i], 6));
        free(block);
    }
}

TEST(realloc_keeps_contents_of_aligned_blocks)
{
    for (size_t alignment = 16; alignment <= 64 * KIB; alignment *= 4) {
        for (size_t i = 0; i < g_tier_size_count; i++) {
            size_t size = g_tier_sizes[i];
            void *block = NULL;
            REQUIRE_EQUAL(posix_memalign(&block, alignment, size), 0);
            block_fill(block, size, 8);
            block = realloc(block, size + 1000);
            REQUIRE(block != NULL);
            REQUIRE(block_holds(block, size, 8));
            free(block);
        }
    }
}
