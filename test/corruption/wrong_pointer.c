/* wrong_pointer.c - free of what malloc never returned: inside a block, misaligned, on the stack.
 */
#include <stdlib.h>

#include "corruption/messages.h"
#include "support/blocks.h"
#include "support/death.h"
#include "support/harness.h"

enum { SMALL = 64, MEDIUM = 5000, LARGE = 200000, HUGE = 5000000 };

/* Frees what lies OFFSET bytes behind the start of a block. */
#define INSIDE(tier, offset)                                                                       \
    VICTIM free_inside_##tier(struct misuse *misuse)                                               \
    {                                                                                              \
        char *block = misused_block(misuse, tier);                                                 \
        misuse->ptr = block + (offset);                                                            \
        free(misuse->ptr);                                                                         \
    }                                                                                              \
    TEST(free_inside_a_block_of_tier_##tier)                                                       \
    {                                                                                              \
        expect_death(free_inside_##tier, INTERIOR_FREE);                                           \
    }

#define MISALIGNED(tier)                                                                           \
    VICTIM free_misaligned_##tier(struct misuse *misuse)                                           \
    {                                                                                              \
        char *block = misused_block(misuse, tier);                                                 \
        misuse->ptr = block + 8;                                                                   \
        misuse->block_bytes = 0;                                                                   \
        free(misuse->ptr);                                                                         \
    }                                                                                              \
    TEST(free_of_a_misaligned_pointer_into_tier_##tier)                                            \
    {                                                                                              \
        expect_death(free_misaligned_##tier, MISALIGNED_FREE);                                     \
    }

INSIDE(SMALL, 16)
INSIDE(MEDIUM, 16)
INSIDE(LARGE, 65536)
INSIDE(HUGE, 1 << 20)
MISALIGNED(SMALL)
MISALIGNED(MEDIUM)
MISALIGNED(LARGE)
MISALIGNED(HUGE)

VICTIM free_it(void *ptr)
{
    free(ptr);
}

static void inside_small_by_another_thread(struct misuse *misuse)
{
    char *block = misused_block(misuse, SMALL);
    misuse->ptr = block + 16;
    in_other_thread(free_it, misuse->ptr);
}

TEST(free_inside_a_small_block_by_another_thread)
{
    expect_death(inside_small_by_another_thread, INTERIOR_FREE);
}

VICTIM free_stack(struct misuse *misuse)
{
    _Alignas(16) char local[64] = {0};
    misuse->ptr = opaque(local);
    free(misuse->ptr);
}

TEST(free_of_a_stack_address)
{
    expect_death(free_stack, INVALID_FREE);
}

VICTIM free_data(struct misuse *misuse)
{
    static _Alignas(16) char g_data[64];
    misuse->ptr = opaque(g_data);
    free(misuse->ptr);
}

TEST(free_of_a_static_object)
{
    expect_death(free_data, INVALID_FREE);
}

VICTIM free_misaligned_data(struct misuse *misuse)
{
    static _Alignas(16) char g_data[64];
    misuse->ptr = opaque(g_data + 4);
    free(misuse->ptr);
}

TEST(free_of_a_misaligned_address_outside_the_heap)
{
    expect_death(free_misaligned_data, MISALIGNED_FREE);
}

VICTIM reallocate_stack(struct misuse *misuse)
{
    _Alignas(16) char local[64] = {0};
    misuse->ptr = opaque(local);
    (void)!realloc(misuse->ptr, 100);
}

TEST(realloc_of_a_stack_address)
{
    expect_death(reallocate_stack, INVALID_FREE);
}

/* The next free looks at the list that the freed block stands on. */
VICTIM write_to_a_free_block(struct misuse *misuse)
{
    size_t *freed = malloc(SMALL);
    void *block = misused_block(misuse, SMALL);
    free(freed);
    *(volatile size_t *)freed = 0x4141414141414141;
    free(block);
}

TEST(a_write_to_a_small_free_block_is_known_at_the_next_free)
{
    expect_death(write_to_a_free_block, FREE_WRITTEN);
}
