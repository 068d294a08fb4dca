/* overflow.c - small free blocks that their neighbour wrote over, and blocks that are not used
 * again at once. */
#include <stdlib.h>
#include <string.h>

#include "corruption/messages.h"
#include "support/death.h"
#include "support/harness.h"

enum { SMALL = 64, MEDIUM = 2000, LARGE = 200000 };

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

/* Where the thread has others at hand, as of the shorter medium blocks. */
static void expect_other_block(size_t bytes)
{
    ONLY_LIBRARY();
    char *block = malloc(bytes);
    char *neighbour = malloc(bytes);
    REQUIRE(block != NULL && neighbour != NULL);
    free(block);
    char *next = malloc(bytes);
    REQUIRE(next != block);
    free(next);
    free(neighbour);
}

TEST(a_medium_block_just_freed_is_not_the_next_one)
{
    expect_other_block(MEDIUM);
}

TEST(a_large_block_just_freed_is_not_the_next_one)
{
    expect_other_block(LARGE);
}
