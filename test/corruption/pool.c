/* pool.c - misuse of pools: every kind ends the program with a line of its own. */
#include <stdlib.h>

#include "corruption/messages.h"
#include "support/death.h"
#include "support/extensions.h"
#include "support/harness.h"

enum { FIXED = 48, LONG = 300000 };

/* A pool with a block that holds its memory, and the block that will be misused. */
static struct myalloc_pool *pool_with(struct misuse *misuse, size_t fixed, size_t bytes)
{
    struct myalloc_pool *pool = myalloc_pool_create(fixed, 0);
    REQUIRE(pool != NULL);
    REQUIRE(myalloc_pool_alloc(pool, bytes) != NULL);
    misuse->ptr = myalloc_pool_alloc(pool, bytes);
    REQUIRE(misuse->ptr != NULL);
    REQUIRE(myalloc_pool_alloc(pool, bytes) != NULL);
    return pool;
}

VICTIM free_fixed_twice(struct misuse *misuse)
{
    struct myalloc_pool *pool = pool_with(misuse, FIXED, FIXED);
    misuse->block_bytes = FIXED;
    myalloc_pool_free(pool, misuse->ptr);
    myalloc_pool_free(pool, misuse->ptr);
}

TEST(double_free_in_a_pool_of_a_fixed_size)
{
    expect_death(free_fixed_twice, DOUBLE_FREE);
}

VICTIM free_any_twice(struct misuse *misuse)
{
    struct myalloc_pool *pool = pool_with(misuse, 0, FIXED);
    void *other = myalloc_pool_alloc(pool, 1000);
    myalloc_pool_free(pool, misuse->ptr);
    myalloc_pool_free(pool, other);
    myalloc_pool_free(pool, misuse->ptr);
}

TEST(double_free_in_a_pool_of_any_size)
{
    expect_death(free_any_twice, DOUBLE_FREE);
}

VICTIM free_after_reset(struct misuse *misuse)
{
    struct myalloc_pool *pool = pool_with(misuse, 0, FIXED);
    myalloc_pool_reset(pool);
    myalloc_pool_free(pool, misuse->ptr);
}

TEST(free_of_a_block_that_a_reset_freed)
{
    expect_death(free_after_reset, DOUBLE_FREE);
}

VICTIM free_inside_fixed(struct misuse *misuse)
{
    struct myalloc_pool *pool = pool_with(misuse, FIXED, FIXED);
    misuse->block_bytes = FIXED;
    misuse->ptr = (char *)misuse->ptr + 16;
    myalloc_pool_free(pool, misuse->ptr);
}

TEST(free_inside_a_block_of_a_fixed_size)
{
    expect_death(free_inside_fixed, INTERIOR_FREE);
}

VICTIM free_inside_any(struct misuse *misuse)
{
    struct myalloc_pool *pool = pool_with(misuse, 0, 5000);
    misuse->block_bytes = 5008;
    misuse->ptr = (char *)misuse->ptr + 4999;
    myalloc_pool_free(pool, misuse->ptr);
}

TEST(free_inside_a_block_of_any_size)
{
    expect_death(free_inside_any, INTERIOR_FREE);
}

VICTIM free_inside_long(struct misuse *misuse)
{
    struct myalloc_pool *pool = pool_with(misuse, 0, LONG);
    misuse->block_bytes = LONG;
    misuse->ptr = (char *)misuse->ptr + 16 * KIB;
    myalloc_pool_free(pool, misuse->ptr);
}

TEST(free_inside_a_long_block_of_a_pool)
{
    expect_death(free_inside_long, INTERIOR_FREE);
}

VICTIM free_into_other(struct misuse *misuse)
{
    (void)pool_with(misuse, 0, FIXED);
    struct misuse unused = {0};
    myalloc_pool_free(pool_with(&unused, 0, FIXED), misuse->ptr);
}

TEST(free_of_a_block_of_another_pool)
{
    expect_death(free_into_other, POOL_FOREIGN);
}

/* Frees a block of malloc of this size into a pool. */
#define FOREIGN(tier, bytes)                                                                       \
    VICTIM free_foreign_##tier(struct misuse *misuse)                                              \
    {                                                                                              \
        struct myalloc_pool *pool = pool_with(misuse, FIXED, FIXED);                               \
        misuse->ptr = malloc(bytes);                                                               \
        myalloc_pool_free(pool, misuse->ptr);                                                      \
    }                                                                                              \
    TEST(free_of_a_##tier##_block_of_malloc_into_a_pool)                                           \
    {                                                                                              \
        expect_death(free_foreign_##tier, POOL_FOREIGN);                                           \
    }
FOREIGN(small, 48)
FOREIGN(medium, 5000)
FOREIGN(large, 200000)
FOREIGN(huge, 5000000)

VICTIM free_the_stack(struct misuse *misuse)
{
    char here[64];
    struct myalloc_pool *pool = pool_with(misuse, 0, FIXED);
    misuse->ptr = here;
    myalloc_pool_free(pool, misuse->ptr);
}

TEST(free_of_the_stack_into_a_pool)
{
    expect_death(free_the_stack, POOL_FOREIGN);
}

VICTIM free_of_pool_block(struct misuse *misuse)
{
    (void)pool_with(misuse, FIXED, FIXED);
    free(misuse->ptr);
}

TEST(free_of_a_block_of_a_pool)
{
    expect_death(free_of_pool_block, POOL_BLOCK);
}

VICTIM free_of_long_pool_block(struct misuse *misuse)
{
    (void)pool_with(misuse, 0, LONG);
    misuse->ptr = (char *)misuse->ptr + 64 * KIB;
    free(misuse->ptr);
}

TEST(free_inside_a_long_block_of_a_pool_by_free)
{
    expect_death(free_of_long_pool_block, POOL_BLOCK);
}

VICTIM realloc_of_pool_block(struct misuse *misuse)
{
    (void)pool_with(misuse, 0, FIXED);
    (void)!realloc(misuse->ptr, 2 * FIXED);
}

TEST(realloc_of_a_block_of_a_pool)
{
    expect_death(realloc_of_pool_block, POOL_BLOCK);
}

VICTIM use_destroyed(struct misuse *misuse)
{
    struct myalloc_pool *pool = pool_with(misuse, 0, FIXED);
    misuse->ptr = pool;
    myalloc_pool_destroy(pool);
    (void)!myalloc_pool_alloc(pool, FIXED);
}

TEST(use_of_a_destroyed_pool)
{
    expect_death(use_destroyed, POOL_DEAD);
}

VICTIM destroy_twice(struct misuse *misuse)
{
    struct myalloc_pool *pool = pool_with(misuse, 0, FIXED);
    misuse->ptr = pool;
    myalloc_pool_destroy(pool);
    myalloc_pool_destroy(pool);
}

TEST(destroying_a_pool_twice)
{
    expect_death(destroy_twice, POOL_DEAD);
}
