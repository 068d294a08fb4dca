/* h19_mlockall.c - where every page is resident, reserves would be too. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "support/harness.h"
#include "support/process.h"

enum { BLOCK_COUNT = 50000, BLOCK_BYTES = 1000 };

TEST(a_locked_program_stays_within_twice_its_live_bytes)
{
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    static char *blocks[BLOCK_COUNT];
    if (setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0) {
        return;
    }
    REQUIRE_EQUAL(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
    size_t rss_before = process_rss_bytes();
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < BLOCK_COUNT; i++) {
            blocks[i] = malloc(BLOCK_BYTES);
            REQUIRE(blocks[i] != NULL);
            memset(blocks[i], 1, BLOCK_BYTES);
        }
        REQUIRE(process_rss_bytes() <= rss_before + 2 * (size_t)BLOCK_COUNT * BLOCK_BYTES);
        for (size_t i = 0; i < BLOCK_COUNT; i++) {
            free(blocks[i]);
        }
    }
}
