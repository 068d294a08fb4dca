/* realloc_freed.c - realloc of a block that was freed before. */
#include <stdlib.h>

#include "corruption/messages.h"
#include "support/death.h"
#include "support/harness.h"

enum { SMALL = 64, MEDIUM = 5000, LARGE = 200000, HUGE = 5000000 };

#define REALLOCATED(tier)                                                                          \
    VICTIM reallocate_freed_##tier(struct misuse *misuse)                                          \
    {                                                                                              \
        void *block = misused_block(misuse, tier);                                                 \
        free(block);                                                                               \
        (void)!realloc(block, 2 * (size_t)(tier));                                                 \
    }                                                                                              \
    TEST(realloc_of_a_freed_block_of_tier_##tier)                                                  \
    {                                                                                              \
        expect_death(reallocate_freed_##tier, REALLOC_FREED);                                      \
    }

REALLOCATED(SMALL)
REALLOCATED(MEDIUM)
REALLOCATED(LARGE)
REALLOCATED(HUGE)

/* To the size that it had: a realloc of a block in use would change nothing. */
VICTIM reallocate_freed_small_alike(struct misuse *misuse)
{
    void *block = misused_block(misuse, SMALL);
    free(block);
    (void)!realloc(block, SMALL);
}

VICTIM reallocate_freed_medium_alike(struct misuse *misuse)
{
    void *block = misused_block(misuse, MEDIUM);
    free(block);
    (void)!realloc(block, MEDIUM);
}

/* After as many frees as the library looks at one by one, freed blocks are at hand for malloc. */
VICTIM reallocate_freed_warm_alike(struct misuse *misuse)
{
    enum { BLOCKS = 600 };
    static void *blocks[BLOCKS];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            free(blocks[i]);
        }
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = malloc(SMALL);
        }
    }
    reallocate_freed_small_alike(misuse);
}

VICTIM reallocate_inside(struct misuse *misuse)
{
    char *block = misused_block(misuse, MEDIUM);
    misuse->ptr = block + 128;
    (void)!realloc(misuse->ptr, MEDIUM);
}

VICTIM reallocate_inside_small(struct misuse *misuse)
{
    char *block = misused_block(misuse, SMALL);
    misuse->ptr = block + 16;
    (void)!realloc(misuse->ptr, SMALL);
}

TEST(realloc_of_a_freed_block_to_its_size)
{
    expect_death(reallocate_freed_small_alike, REALLOC_FREED);
    expect_death(reallocate_freed_medium_alike, REALLOC_FREED);
    expect_death(reallocate_freed_warm_alike, REALLOC_FREED);
}

TEST(realloc_inside_a_block_to_its_size)
{
    expect_death(reallocate_inside, INTERIOR_FREE);
    expect_death(reallocate_inside_small, INTERIOR_FREE);
}

VICTIM reallocate_freed_to_nothing(struct misuse *misuse)
{
    void *block = misused_block(misuse, MEDIUM);
    free(block);
    (void)!realloc(block, 0);
}

/* realloc to 0 is a free; what it tells is the caller, not the library. */
TEST(realloc_of_a_freed_block_to_nothing_is_a_double_free)
{
    expect_death(reallocate_freed_to_nothing, DOUBLE_FREE);
}
