/* h24_edges.c - edges at which allocators differ: each has sent a real program down. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/harness.h"

TEST(rounding_up_never_wraps_around)
{
    for (size_t distance = 0; distance < 70000; distance += 509) {
        REQUIRE(pvalloc(opaque_size(SIZE_MAX - distance)) == NULL);
        REQUIRE(valloc(opaque_size(SIZE_MAX - distance)) == NULL);
        REQUIRE(malloc(opaque_size(SIZE_MAX - distance)) == NULL);
        REQUIRE(memalign(4096, opaque_size(SIZE_MAX - distance)) == NULL);
        REQUIRE(malloc(opaque_size(PTRDIFF_MAX - distance)) == NULL);
    }
}

TEST(valloc_and_pvalloc_blocks_are_ours_to_free_and_resize)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = realloc(valloc(g_tier_sizes[i]), 100);
        void *paged = realloc(pvalloc(g_tier_sizes[i]), 100);
        REQUIRE(block != NULL && paged != NULL);
        free(block);
        free(paged);
    }
}

TEST(mallopt_never_makes_a_program_give_up)
{
    REQUIRE_EQUAL(mallopt(M_MXFAST, 0), 1);
    REQUIRE_EQUAL(mallopt(M_TRIM_THRESHOLD, -1), 1);
    REQUIRE_EQUAL(mallopt(M_MMAP_MAX, 0), 1);
    void *block = malloc(10 * MIB);
    REQUIRE(block != NULL);
    free(block);
}

TEST(one_block_of_every_alignment_and_no_size)
{
    for (size_t alignment = 1; alignment <= 16 * MIB; alignment *= 2) {
        void *block = memalign(alignment, 0);
        REQUIRE(block != NULL);
        REQUIRE(block_is_aligned(block, alignment));
        REQUIRE(malloc_usable_size(block) < SIZE_MAX / 2);
        free(block);
    }
}
