/* overflow.c - small free blocks that their neighbour wrote over, and blocks that are not used
 * again at once. */
#include <stdlib.h>
#include <string.h>

#include "corruption/messages.h"
#include "support/death.h"
#include "support/harness.h"

enum { SMALL = 64, MEDIUM = 2000, MEDIUM_SINGLE = 12288, LARGE = 200000 };

/* The block behind stands in the bin, in address order while the slab is new. */
VICTIM write_one_byte_behind(struct misuse *misuse)
{
    char *block = misused_block(misuse, SMALL);
    block[SMALL] = (char)(block[SMALL] + 4);
    free(block);
}

TEST(one_byte_written_behind_a_small_block_is_known_at_its_free)
{
    expect_death(write_one_byte_behind, FREE_WRITTEN);
}

VICTIM write_after_free(struct misuse *misuse)
{
    char *before = misused_block(misuse, SMALL);
    char *block = misused_block(misuse, SMALL);
    free(before);
    free(block);
    memset(block, 0x5c, SMALL);
    REQUIRE(malloc(MEDIUM) != NULL);
}

TEST(write_to_a_freed_small_block_is_known_when_a_slab_is_needed)
{
    expect_death(write_after_free, FREE_WRITTEN);
}

/* A medium one written to after its free is known when another one is freed. */
VICTIM write_after_free_of_a_medium_block(struct misuse *misuse)
{
    char *before = malloc(MEDIUM);
    char *block = malloc(MEDIUM);
    char *behind = misused_block(misuse, MEDIUM);
    free(before);
    free(block);
    memset(block, 0x5c, MEDIUM);
    free(behind);
}

TEST(write_to_a_freed_medium_block_is_known_before_it_has_another_owner)
{
    expect_death(write_after_free_of_a_medium_block, FREE_WRITTEN);
}

/* Two or three of a size: the next one is new, and nobody wrote to it. */
VICTIM write_behind_the_newest(struct misuse *misuse)
{
    char *block = misused_block(misuse, MEDIUM_SINGLE);
    misuse->ptr = block + MEDIUM_SINGLE; /* what is told is where it was written */
    block[MEDIUM_SINGLE + 8] = 'x';
    REQUIRE(malloc(MEDIUM_SINGLE) != NULL);
}

TEST(write_behind_a_block_that_is_never_freed_is_known_when_the_next_is_new)
{
    expect_death(write_behind_the_newest, FREE_WRITTEN);
}

VICTIM write_after_free_of_the_only_one(struct misuse *misuse)
{
    char *block = misused_block(misuse, MEDIUM_SINGLE);
    free(block);
    memset(block, 0x5c, MEDIUM_SINGLE);
    REQUIRE(malloc(MEDIUM_SINGLE) != NULL);
}

TEST(write_to_a_freed_block_is_known_at_the_next_request_of_its_size)
{
    expect_death(write_after_free_of_the_only_one, FREE_WRITTEN);
}

VICTIM write_after_free_of_a_large_block(struct misuse *misuse)
{
    void *blocks[4];
    for (size_t i = 0; i < COUNT_OF(blocks); i++) { /* its class is worth to keep blocks */
        blocks[i] = malloc(LARGE);
    }
    char *block = misused_block(misuse, LARGE);
    free(block);
    block[1] = (char)(block[1] + 1);
    for (int i = 0; i < 8; i++) { /* one of them comes from the depot */
        REQUIRE(malloc(MEDIUM_SINGLE) != NULL);
    }
}

TEST(write_to_a_freed_block_is_known_when_another_size_is_needed)
{
    expect_death(write_after_free_of_a_large_block, FREE_WRITTEN);
}

TEST(a_large_block_just_freed_is_not_the_next_one)
{
    ONLY_LIBRARY();
    char *block = malloc(LARGE);
    char *neighbour = malloc(LARGE);
    REQUIRE(block != NULL && neighbour != NULL);
    free(block);
    char *next = malloc(LARGE);
    REQUIRE(next != block);
    free(next);
    free(neighbour);
}
