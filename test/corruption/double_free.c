/* double_free.c - a block freed twice: known in every tier; between small local frees
 * at first, and whenever they come in a row. */
#include <stdlib.h>

#include "corruption/messages.h"
#include "support/death.h"
#include "support/harness.h"

enum { SMALL = 64, MEDIUM = 5000, LARGE = 200000, HUGE = 5000000 };

/* The block behind keeps the heap from shrinking below the freed one, of which nothing would then
 * be known. */
static void *with_neighbour(struct misuse *misuse, size_t bytes)
{
    void *block = misused_block(misuse, bytes);
    REQUIRE(malloc(bytes) != NULL);
    return block;
}

/* Frees twice in a row. */
#define AT_ONCE(tier)                                                                              \
    VICTIM free_##tier##_at_once(struct misuse *misuse)                                            \
    {                                                                                              \
        void *block = with_neighbour(misuse, tier);                                                \
        free(block);                                                                               \
        free(block);                                                                               \
    }                                                                                              \
    TEST(double_free_at_once_of_a_block_of_tier_##tier)                                            \
    {                                                                                              \
        expect_death(free_##tier##_at_once, DOUBLE_FREE);                                          \
    }

/* Frees another block of the same size between the two frees. */
#define AFTER_ANOTHER(tier)                                                                        \
    VICTIM free_##tier##_after_another(struct misuse *misuse)                                      \
    {                                                                                              \
        void *other = malloc(tier);                                                                \
        void *block = with_neighbour(misuse, tier);                                                \
        free(block);                                                                               \
        free(other);                                                                               \
        free(block);                                                                               \
    }                                                                                              \
    TEST(double_free_after_another_free_of_a_block_of_tier_##tier)                                 \
    {                                                                                              \
        expect_death(free_##tier##_after_another, DOUBLE_FREE);                                    \
    }

/* The first frees of a small class are looked at; between later ones there is no room for a test,
 * but the list that they make is looked at when it is drawn next. */
AT_ONCE(SMALL)
AFTER_ANOTHER(SMALL)

/* Behind the watched frees. */
VICTIM free_many(size_t bytes)
{
    for (int i = 0; i < 1000; i++) {
        free(malloc(bytes));
    }
}

/* Then the bin is empty, or was filled anew a moment ago: there is room for blocks that are freed.
 */
VICTIM take_many(size_t bytes, int count)
{
    for (int i = 0; i < count; i++) {
        REQUIRE(malloc(bytes) != NULL);
    }
}

VICTIM free_SMALL_at_once_later(struct misuse *misuse)
{
    free_many(SMALL);
    void *block = with_neighbour(misuse, SMALL);
    free(block);
    free(block);
    take_many(SMALL, 1000);
}

TEST(double_free_at_once_of_a_small_block_is_known_at_the_next_refill)
{
    expect_death(free_SMALL_at_once_later, DOUBLE_FREE);
}

VICTIM free_SMALL_at_once_with_room(struct misuse *misuse)
{
    free_many(SMALL);
    take_many(SMALL, 1000);
    void *block = with_neighbour(misuse, SMALL);
    free(block);
    free(block);
    take_many(SMALL, 2);
}

TEST(double_free_at_once_of_a_small_block_is_known_before_it_has_a_second_owner)
{
    expect_death(free_SMALL_at_once_with_room, DOUBLE_FREE);
}

/* Behind the watched frees, and when a bin has no room for more: none of them is known as such, but
 * they are too many together. */
VICTIM free_more_than_there_are(struct misuse *misuse)
{
    enum { BYTES = 1024, SLAB = 16, OTHERS = 2 * SLAB, A_PAGE_OF_THEM = 4 };
    void *others[OTHERS];
    void *blocks[A_PAGE_OF_THEM];
    free_many(BYTES);
    for (int i = 0; i < OTHERS; i++) {
        others[i] = malloc(BYTES);
    }
    for (int i = 0; i < A_PAGE_OF_THEM; i++) {
        blocks[i] = misused_block(misuse, BYTES);
    }
    for (int i = 0; i < OTHERS; i++) {
        free(others[i]);
    }
    for (int i = 0; i < 2 * SLAB; i++) {
        misuse->ptr = blocks[i % A_PAGE_OF_THEM];
        free(misuse->ptr);
    }
    take_many(BYTES, 2 * OTHERS);
}

/* Two blocks that were freed in turn make a ring, from which malloc could take for ever. */
VICTIM free_a_ring(struct misuse *misuse)
{
    free_many(SMALL);
    take_many(SMALL, 1000);
    void *other = malloc(SMALL);
    void *block = misused_block(misuse, SMALL);
    free(block);
    free(other);
    free(block);
    take_many(1024, 100000);
}

TEST(a_ring_of_freed_blocks_is_known_when_its_bin_is_looked_at)
{
    expect_death(free_a_ring, DOUBLE_FREE);
}

TEST(more_frees_than_small_blocks_are_known_when_they_are_handed_out)
{
    expect_death(free_more_than_there_are, DOUBLE_FREE);
}

AT_ONCE(MEDIUM)
AT_ONCE(LARGE)
AT_ONCE(HUGE)
AFTER_ANOTHER(MEDIUM)
AFTER_ANOTHER(LARGE)
AFTER_ANOTHER(HUGE)

VICTIM free_once(void *block)
{
    free(block);
}

VICTIM free_twice(void *block)
{
    free(block);
    free(block);
}

static void small_twice_by_another_thread(struct misuse *misuse)
{
    in_other_thread(free_twice, misused_block(misuse, SMALL));
}

TEST(double_free_of_a_small_block_by_another_thread)
{
    expect_death(small_twice_by_another_thread, DOUBLE_FREE);
}

static void medium_by_two_threads(struct misuse *misuse)
{
    void *block = misused_block(misuse, MEDIUM);
    in_other_thread(free_once, block);
    in_other_thread(free_once, block);
}

TEST(double_free_of_a_medium_block_by_two_threads)
{
    expect_death(medium_by_two_threads, DOUBLE_FREE);
}

static void large_by_two_threads(struct misuse *misuse)
{
    void *block = misused_block(misuse, LARGE);
    in_other_thread(free_once, block);
    in_other_thread(free_once, block);
}

TEST(double_free_of_a_large_block_by_two_threads)
{
    expect_death(large_by_two_threads, DOUBLE_FREE);
}

/* Two freed large blocks wait before they are used again: of both a second free is known. */
VICTIM free_large_after_reuse(struct misuse *misuse)
{
    void *block = with_neighbour(misuse, LARGE);
    void *other = malloc(LARGE);
    free(block);
    free(other);
    REQUIRE(malloc(LARGE) != NULL);
    free(block);
}

TEST(double_free_of_a_large_block_after_another_request)
{
    expect_death(free_large_after_reuse, DOUBLE_FREE);
}
