/* h19_mlockall.c - where every page is resident, reserves would be too. */
#include <malloc.h>
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

TEST(a_small_program_that_is_locked_stays_small)
{
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0) {
        return;
    }
    REQUIRE_EQUAL(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
    for (size_t i = 0; i < 1000; i++) {
        char *block = malloc(10 + i * 10);
        REQUIRE(block != NULL);
        block[0] = 1;
        free(i % 2 == 0 ? block : NULL);
    }
    REQUIRE(process_rss_bytes() < 80000000);
}

/* A page that was locked and freed must keep itself only: not what lies around it, nor below. And
 * what calloc hands out later must be zero, though some of it was never given back. */
TEST(one_locked_page_keeps_no_more_than_its_surroundings)
{
    enum { LARGE_COUNT = 400, LARGE_BYTES = 200000 };
    static char *blocks[LARGE_COUNT];
    size_t rss_before = process_rss_bytes();
    for (size_t i = 0; i < LARGE_COUNT; i++) {
        blocks[i] = malloc(LARGE_BYTES);
        REQUIRE(blocks[i] != NULL);
        memset(blocks[i], 1, LARGE_BYTES);
    }
    char *pin = malloc(LARGE_BYTES); // keeps the heap from shrinking over the locked page
    REQUIRE(pin != NULL);
    memset(pin, 1, LARGE_BYTES);
    if (mlock(blocks[LARGE_COUNT - 1], 4096) != 0) {
        return;
    }
    for (size_t i = 0; i < LARGE_COUNT; i++) {
        free(blocks[i]);
    }
    malloc_trim(0);
    REQUIRE(process_rss_bytes() <= rss_before + (size_t)LARGE_COUNT * LARGE_BYTES / 4);
    for (size_t i = 0; i < LARGE_COUNT; i++) {
        blocks[i] = calloc(1, LARGE_BYTES);
        REQUIRE(blocks[i] != NULL && blocks[i][0] == 0);
        REQUIRE(memcmp(blocks[i], blocks[i] + 1, LARGE_BYTES - 1) == 0);
    }
}
