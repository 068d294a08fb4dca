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
