/* valloc.c - valloc(3) and pvalloc(3). */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/harness.h"

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

TEST(valloc_aligns_to_the_page)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = valloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        REQUIRE(block_is_aligned(block, page_bytes()));
        block_fill(block, g_tier_sizes[i], 1);
        free(block);
    }
}

TEST(valloc_of_zero_bytes_gives_a_freeable_page_address)
{
    void *block = valloc(0);
    REQUIRE(block != NULL);
    REQUIRE(block_is_aligned(block, page_bytes()));
    free(block);
}

TEST(valloc_near_the_top_of_size_t_fails_with_enomem)
{
    errno = 0;
    REQUIRE(valloc(opaque_size(SIZE_MAX - 100)) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
}

TEST(pvalloc_rounds_up_to_whole_pages)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        size_t pages_bytes = (g_tier_sizes[i] + page_bytes() - 1) / page_bytes() * page_bytes();
        void *block = pvalloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        REQUIRE(block_is_aligned(block, page_bytes()));
        REQUIRE(malloc_usable_size(block) >= pages_bytes);
        block_fill(block, pages_bytes, 1);
        free(block);
    }
}

TEST(pvalloc_of_zero_bytes_gives_a_freeable_page_address)
{
    void *block = pvalloc(0);
    REQUIRE(block != NULL);
    REQUIRE(block_is_aligned(block, page_bytes()));
    free(block);
}

TEST(pvalloc_near_the_top_of_size_t_fails_with_enomem)
{
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 100, SIZE_MAX - 4095, SIZE_MAX - 65536};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        errno = 0;
        REQUIRE(pvalloc(opaque_size(sizes[i])) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
    }
}
