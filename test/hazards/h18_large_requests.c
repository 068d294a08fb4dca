/* h18_large_requests.c - what cannot be served is refused at once; what is not used is not touched.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/harness.h"
#include "support/process.h"

TEST(sixty_four_terabytes_are_refused)
{
    errno = 0;
    REQUIRE(malloc(opaque_size((size_t)64 << 40)) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    errno = 0;
    REQUIRE(calloc(opaque_size((size_t)64 << 20), 1 << 20) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    char *block = malloc(100);
    REQUIRE(block != NULL);
    block[0] = 1;
    errno = 0;
    REQUIRE(realloc(block, opaque_size((size_t)64 << 40)) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE(block[0] == 1);
    free(block);
}

TEST(calloc_of_4_gib_touches_nothing)
{
    size_t rss_before = process_rss_bytes();
    char *block = calloc(4, GIB);
    REQUIRE(block != NULL);
    REQUIRE_EQUAL(block[3 * GIB], 0);
    REQUIRE(process_rss_bytes() <= rss_before + 4 * MIB);
    free(block);
}

TEST(user_memory_is_charged_to_the_system)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        REQUIRE(!process_mapping_has_flag(block, " nr "));
        free(block);
    }
}

TEST(realloc_of_a_large_untouched_block_touches_nothing)
{
    size_t rss_before = process_rss_bytes();
    char *block = malloc(GIB);
    REQUIRE(block != NULL);
    block = realloc(block, 2 * GIB);
    REQUIRE(block != NULL);
    REQUIRE(process_rss_bytes() <= rss_before + 4 * MIB);
    free(block);
}
