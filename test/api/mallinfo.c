/* mallinfo.c - mallinfo(3): the figures agree with what the program itself counts. */
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/harness.h"

enum { BLOCK_COUNT = 4000 };

static void *g_blocks[BLOCK_COUNT];

static size_t live_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void require_within_1_percent(size_t actual, size_t expected)
{
    size_t difference = actual > expected ? actual - expected : expected - actual;
    REQUIRE(difference <= expected / 100);
}

/* A size of any tier; small ones are most of the blocks, medium ones most of the bytes. */
static size_t mixed_size(size_t index)
{
    if (index % 400 == 0) {
        return 2 * MIB + index;
    }
    if (index % 40 == 1) {
        return 100 * KIB + index;
    }
    return index % 4 == 2 ? 3000 + index * 7 : 40 + index % 900;
}

static size_t allocate_blocks(size_t (*size_of)(size_t))
{
    size_t bytes = 0;
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        g_blocks[i] = malloc(size_of(i));
        REQUIRE(g_blocks[i] != NULL);
        bytes += malloc_usable_size(g_blocks[i]);
    }
    return bytes;
}

static size_t free_every_fourth_block(void)
{
    size_t bytes = 0;
    for (size_t i = 1; i < BLOCK_COUNT; i += 4) {
        bytes += malloc_usable_size(g_blocks[i]);
        free(g_blocks[i]);
    }
    return bytes;
}

TEST(mallinfo2_counts_live_bytes_within_1_percent)
{
    size_t before = live_bytes();
    size_t bytes = allocate_blocks(mixed_size);
    require_within_1_percent(live_bytes() - before, bytes);
    bytes -= free_every_fourth_block();
    require_within_1_percent(live_bytes() - before, bytes);
}

static size_t small_size(size_t index)
{
    return 1 + index % 1024;
}

TEST(mallinfo2_counts_small_blocks_within_1_percent)
{
    ONLY_LIBRARY();
    size_t before = live_bytes();
    size_t bytes = allocate_blocks(small_size);
    require_within_1_percent(live_bytes() - before, bytes);
    bytes -= free_every_fourth_block();
    require_within_1_percent(live_bytes() - before, bytes);
}

static void *allocate_mixed(void *bytes)
{
    *(size_t *)bytes = allocate_blocks(mixed_size);
    return NULL;
}

/* CENSUS-1 */
TEST(mallinfo2_counts_blocks_of_other_threads)
{
    size_t before = live_bytes();
    size_t bytes = 0;
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, allocate_mixed, &bytes), 0);
    pthread_join(thread, NULL);
    require_within_1_percent(live_bytes() - before, bytes);
    bytes -= free_every_fourth_block();
    require_within_1_percent(live_bytes() - before, bytes);
}

TEST(mallinfo2_counts_mappings)
{
    struct mallinfo2 before = mallinfo2();
    void *block = malloc(40 * MIB);
    REQUIRE(block != NULL);
    struct mallinfo2 with_block = mallinfo2();
    REQUIRE_EQUAL(with_block.hblks, before.hblks + 1);
    REQUIRE(with_block.hblkhd >= before.hblkhd + 40 * MIB);
    free(block);
    REQUIRE_EQUAL(mallinfo2().hblks, before.hblks);
}

/* REPORT-1 */
TEST(mallinfo2_arena_is_what_is_used_and_what_is_free)
{
    (void)allocate_blocks(mixed_size);
    (void)free_every_fourth_block();
    struct mallinfo2 info = mallinfo2();
    REQUIRE_EQUAL(info.arena, info.uordblks + info.fordblks);
    REQUIRE(info.fordblks > 0);
}

TEST(mallinfo_agrees_with_mallinfo2)
{
    (void)allocate_blocks(mixed_size);
    struct mallinfo2 wide = mallinfo2();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    struct mallinfo narrow = mallinfo();
#pragma GCC diagnostic pop
    REQUIRE_EQUAL(narrow.uordblks, wide.uordblks);
    REQUIRE_EQUAL(narrow.hblkhd, wide.hblkhd);
    REQUIRE_EQUAL(narrow.hblks, wide.hblks);
}

TEST(mallinfo_saturates_instead_of_going_negative)
{
    ONLY_LIBRARY();
    void *block = malloc(3 * GIB);
    REQUIRE(block != NULL);
    REQUIRE(mallinfo2().hblkhd >= 3 * GIB);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    REQUIRE_EQUAL(mallinfo().hblkhd, INT_MAX);
#pragma GCC diagnostic pop
    free(block);
}
