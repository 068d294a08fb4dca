/* pool_model.c - a long random life of a pool, against what the program itself knows: contents,
 * sums, and that nothing overlaps. The seed is TEST_SEED, else always the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/extensions.h"
#include "support/harness.h"

enum { SLOTS = 3000, STEPS = 120000, CHECK_PERIOD = 4096 };

static struct {
    char *block;
    size_t bytes;
} g_slots[SLOTS];

static uint64_t g_random;

static size_t draw(size_t below)
{
    g_random = g_random * 6364136223846793005U + 1442695040888963407U;
    return (size_t)(g_random >> 33) % below;
}

/* Mostly short; now and then up to the bound above which a block has a chunk of its own, or more.
 */
static size_t draw_bytes(void)
{
    switch (draw(100)) {
    case 0:
        return 60 * KIB + draw(8 * KIB);
    case 1:
        return draw(300 * KIB);
    case 2:
    case 3:
    case 4:
        return draw(8 * KIB);
    default:
        return draw(600);
    }
}

/* Now and then at a multiple of a power of two, up to where a block has a chunk of its own. */
static char *take(struct myalloc_pool *pool, size_t bytes, size_t fixed)
{
    if (fixed != 0 || draw(8) != 0) {
        return myalloc_pool_alloc(pool, bytes);
    }
    size_t alignment = (size_t)1 << draw(18);
    char *block = myalloc_pool_alloc_aligned(pool, alignment, bytes);
    REQUIRE(block_is_aligned(block, alignment));
    return block;
}

static void require_whole(size_t at)
{
    REQUIRE(block_holds(g_slots[at].block, g_slots[at].bytes, (unsigned)at));
}

static size_t rounded(size_t bytes, size_t fixed)
{
    return fixed != 0 ? fixed : bytes == 0 ? 16 : (bytes + 15) / 16 * 16;
}

/* The sums of the pool are those of the model. */
static void require_sums(struct myalloc_pool *pool, size_t fixed)
{
    struct myalloc_pool_stats stats;
    size_t blocks = 0;
    size_t used = 0;
    for (size_t at = 0; at < SLOTS; at++) {
        if (g_slots[at].block != NULL) {
            require_whole(at);
            blocks++;
            used += rounded(g_slots[at].bytes, fixed);
        }
    }
    REQUIRE_EQUAL(myalloc_pool_stats(pool, &stats, sizeof stats), 0);
    REQUIRE_EQUAL(stats.blocks, blocks);
    REQUIRE_EQUAL(stats.used, used);
    REQUIRE(stats.held >= used);
}

static void give(struct myalloc_pool *pool, size_t at)
{
    require_whole(at);
    myalloc_pool_free(pool, g_slots[at].block);
    g_slots[at].block = NULL;
}

static void live(size_t fixed)
{
    const char *seed = getenv("TEST_SEED");
    g_random = seed != NULL ? strtoul(seed, NULL, 10) : 20261124;
    dprintf(STDOUT_FILENO, "# seed %lu\n", (unsigned long)g_random);
    struct myalloc_pool *pool = myalloc_pool_create(fixed, 0);
    REQUIRE(pool != NULL);
    for (size_t step = 0; step < STEPS; step++) {
        /* The number of blocks rises and falls, so that chunks come and go. */
        size_t at = draw(step % 40000 < 20000 ? SLOTS : SLOTS / 10);
        if (g_slots[at].block != NULL) {
            give(pool, at);
        } else {
            g_slots[at].bytes = fixed != 0 ? draw(fixed + 1) : draw_bytes();
            g_slots[at].block = take(pool, g_slots[at].bytes, fixed);
            REQUIRE(g_slots[at].block != NULL);
            block_fill(g_slots[at].block, g_slots[at].bytes, (unsigned)at);
        }
        if (step % CHECK_PERIOD == 0) {
            require_sums(pool, fixed);
        }
    }
    for (size_t at = 0; at < SLOTS; at++) {
        if (g_slots[at].block != NULL) {
            give(pool, at);
        }
    }
    require_sums(pool, fixed);
    struct myalloc_pool_stats stats;
    REQUIRE_EQUAL(myalloc_pool_stats(pool, &stats, sizeof stats), 0);
    REQUIRE_EQUAL(stats.chunks, 1);
    if (fixed == 0) {
        REQUIRE_EQUAL(stats.free_pieces, 1);
    }
    myalloc_pool_destroy(pool);
}

TEST(a_long_random_life_of_a_pool_of_any_size)
{
    ONLY_LIBRARY();
    live(0);
}

TEST(a_long_random_life_of_a_pool_of_a_fixed_size)
{
    ONLY_LIBRARY();
    live(208);
}

TEST(a_long_random_life_of_a_pool_of_long_blocks)
{
    ONLY_LIBRARY();
    live(5008);
}
