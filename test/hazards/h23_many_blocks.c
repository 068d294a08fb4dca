/* h23_many_blocks.c - more blocks than the kernel allows mappings; a limit set while running. */
#include <stdlib.h>
#include <sys/resource.h>

#include "support/harness.h"

enum { BLOCK_COUNT = 70000, BLOCK_BYTES = 200000 };

static char *g_blocks[BLOCK_COUNT];

TEST(seventy_thousand_blocks_of_200_kb_are_live)
{
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        g_blocks[i] = malloc(BLOCK_BYTES);
        REQUIRE(g_blocks[i] != NULL);
    }
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        free(g_blocks[i]);
    }
}

TEST(a_program_may_limit_its_own_address_space)
{
    free(malloc(100));
    const struct rlimit limit = {256 * MIB, 256 * MIB};
    REQUIRE_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
    for (size_t i = 0; i < 100; i++) {
        g_blocks[i] = malloc(MIB);
        REQUIRE(g_blocks[i] != NULL);
    }
}
