/* h10_map_count.c - many live blocks, few mappings: the kernel allows a process 65,530. */
#include <stdlib.h>

#include "support/harness.h"
#include "support/process.h"

enum { BLOCK_COUNT = 40000, BLOCK_BYTES = 256 * 1024, MAP_COUNT_MAX = 1000 };

static char *g_blocks[BLOCK_COUNT];

TEST(forty_thousand_blocks_of_256_kib_need_few_mappings)
{
    ONLY_LIBRARY();
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        g_blocks[i] = malloc(BLOCK_BYTES);
        REQUIRE(g_blocks[i] != NULL);
    }
    REQUIRE(process_map_count() < MAP_COUNT_MAX);
    for (size_t i = 0; i < BLOCK_COUNT; i += 2) {
        free(g_blocks[i]);
    }
    REQUIRE(process_map_count() < MAP_COUNT_MAX);
    for (size_t i = 1; i < BLOCK_COUNT; i += 2) {
        free(g_blocks[i]);
    }
}
