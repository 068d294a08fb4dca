/* free.c - C11 7.22.3.3 and free(3). */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/blocks.h"
#include "support/harness.h"
#include "support/process.h"

TEST(free_of_null_does_nothing)
{
    errno = 77;
    free(opaque(NULL));
    REQUIRE_EQUAL(errno, 77);
}

TEST(free_keeps_errno_in_every_tier)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        errno = 77;
        free(block);
        REQUIRE_EQUAL(errno, 77);
    }
}

TEST(free_keeps_errno_when_it_gives_mappings_back)
{
    enum { COUNT = 8 };
    void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = malloc(64 * MIB);
        REQUIRE(blocks[i] != NULL);
        memset(blocks[i], 1, 64 * KIB);
    }
    for (size_t i = 0; i < COUNT; i++) {
        errno = 77;
        free(blocks[i]);
        REQUIRE_EQUAL(errno, 77);
    }
}

TEST(free_makes_memory_available_again)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        size_t size = g_tier_sizes[i];
        size_t rounds = 128 * MIB / (size + 256) + 1;
        rounds = rounds > 100000 ? 100000 : rounds;
        size_t rss_before = process_rss_bytes();
        for (size_t round = 0; round < rounds; round++) {
            char *block = malloc(size);
            REQUIRE(block != NULL);
            block[0] = 1;
            block[size - 1] = 1;
            free(block);
        }
        REQUIRE(process_rss_bytes() < rss_before + 24 * MIB);
    }
}

static void *free_table(void *argument)
{
    void **blocks = argument;
    for (size_t i = 0; i < g_tier_size_count; i++) {
        free(blocks[i]);
    }
    return NULL;
}

TEST(free_accepts_blocks_of_other_threads)
{
    for (int round = 0; round < 50; round++) {
        void *blocks[64];
        for (size_t i = 0; i < g_tier_size_count; i++) {
            blocks[i] = malloc(g_tier_sizes[i]);
            REQUIRE(blocks[i] != NULL);
        }
        pthread_t thread;
        REQUIRE_EQUAL(pthread_create(&thread, NULL, free_table, blocks), 0);
        pthread_join(thread, NULL);
    }
}
