/* malloc_trim.c - malloc_trim(3). */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "support/blocks.h"
#include "support/harness.h"
#include "support/process.h"

enum { BLOCK_BYTES = 1000, BLOCK_COUNT = 32 * 1024 };

static void *g_blocks[BLOCK_COUNT];

static void fill_heap(void)
{
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        g_blocks[i] = malloc(BLOCK_BYTES);
        REQUIRE(g_blocks[i] != NULL);
        block_fill(g_blocks[i], BLOCK_BYTES, (unsigned)i);
    }
}

/* Frees all but one block in STRIDE. */
static void thin_heap(size_t stride)
{
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        if (i % stride != 0) {
            free(g_blocks[i]);
        }
    }
}

TEST(malloc_trim_gives_back_pages_between_live_blocks)
{
    enum { STRIDE = 1024 };
    fill_heap();
    size_t rss_full = process_rss_bytes();
    thin_heap(STRIDE);
    REQUIRE_EQUAL(malloc_trim(0), 1);
    REQUIRE(process_rss_bytes() + 24 * MIB < rss_full);
    for (size_t i = 0; i < BLOCK_COUNT; i += STRIDE) {
        REQUIRE(block_holds(g_blocks[i], BLOCK_BYTES, (unsigned)i));
    }
}

/* One block of each slab of 16 stays, and no chunk is free: its other pages go back all the same,
   as much as the program takes for its next sizes. */
TEST(pages_between_live_blocks_go_back_for_blocks_of_other_sizes)
{
    enum { STRIDE = 16, OTHER_BYTES = 500 };
    static void *others[BLOCK_COUNT];
    fill_heap();
    thin_heap(STRIDE);
    size_t rss_thin = process_rss_bytes();
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        others[i] = malloc(OTHER_BYTES);
        REQUIRE(others[i] != NULL);
        block_fill(others[i], OTHER_BYTES, (unsigned)i);
    }
    REQUIRE(harness_page_bytes() > 4 * KIB || process_rss_bytes() < rss_thin + 6 * MIB);
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        REQUIRE(block_holds(others[i], OTHER_BYTES, (unsigned)i));
        REQUIRE(i % STRIDE != 0 || block_holds(g_blocks[i], BLOCK_BYTES, (unsigned)i));
    }
    for (size_t i = 0; i < BLOCK_COUNT; i++) { /* what went back is carved anew */
        g_blocks[i] = i % STRIDE == 0 ? g_blocks[i] : malloc(BLOCK_BYTES);
        block_fill(g_blocks[i], BLOCK_BYTES, (unsigned)i);
    }
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        REQUIRE(block_holds(g_blocks[i], BLOCK_BYTES, (unsigned)i));
        REQUIRE(block_holds(others[i], OTHER_BYTES, (unsigned)i));
    }
}

TEST(malloc_trim_with_nothing_to_give_returns_zero)
{
    fill_heap();
    (void)malloc_trim(0);
    REQUIRE_EQUAL(malloc_trim(0), 0);
}

TEST(memory_works_after_malloc_trim)
{
    for (int round = 0; round < 3; round++) {
        fill_heap();
        thin_heap(16);
        (void)malloc_trim(0);
        for (size_t i = 0; i < BLOCK_COUNT; i += 16) {
            REQUIRE(block_holds(g_blocks[i], BLOCK_BYTES, (unsigned)i));
            free(g_blocks[i]);
        }
    }
}
