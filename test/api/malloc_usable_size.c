/* malloc_usable_size.c - malloc_usable_size(3). */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/harness.h"

TEST(usable_size_of_null_is_zero)
{
    REQUIRE_EQUAL(malloc_usable_size(opaque(NULL)), 0);
}

TEST(usable_size_covers_every_request_and_is_writable)
{
    for (size_t size = 0; size <= 9000; size++) {
        void *block = malloc(size);
        REQUIRE(block != NULL);
        size_t usable = malloc_usable_size(block);
        REQUIRE(usable >= size);
        block_fill(block, usable, 1);
        free(block);
    }
}

TEST(usable_size_is_writable_without_touching_neighbours)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *blocks[3];
        for (unsigned j = 0; j < COUNT_OF(blocks); j++) {
            blocks[j] = malloc(g_tier_sizes[i]);
            REQUIRE(blocks[j] != NULL);
            block_fill(blocks[j], malloc_usable_size(blocks[j]), j);
        }
        for (unsigned j = 0; j < COUNT_OF(blocks); j++) {
            REQUIRE(block_holds(blocks[j], malloc_usable_size(blocks[j]), j));
        }
        for (unsigned j = 0; j < COUNT_OF(blocks); j++) {
            free(blocks[j]);
        }
    }
}

static void *read_usable_size(void *block)
{
    static size_t g_seen;
    g_seen = malloc_usable_size(block);
    return &g_seen;
}

TEST(usable_size_is_stable_for_the_life_of_the_block)
{
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        size_t usable = malloc_usable_size(block);
        for (int other = 0; other < 100; other++) {
            free(malloc(g_tier_sizes[i] + (size_t)other));
        }
        (void)malloc_trim(0);
        pthread_t thread;
        void *seen_by_thread = NULL;
        REQUIRE_EQUAL(pthread_create(&thread, NULL, read_usable_size, block), 0);
        pthread_join(thread, &seen_by_thread);
        REQUIRE_EQUAL(*(size_t *)seen_by_thread, usable);
        REQUIRE_EQUAL(malloc_usable_size(block), usable);
        free(block);
    }
}

TEST(realloc_to_the_usable_size_stays_in_place)
{
    ONLY_LIBRARY();
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        void *same = realloc(block, malloc_usable_size(block));
        REQUIRE(same == block);
        free(same);
    }
}

TEST(usable_size_holds_for_aligned_blocks)
{
    for (size_t alignment = 16; alignment <= 4 * MIB; alignment *= 2) {
        for (size_t i = 0; i < g_tier_size_count; i += 3) {
            void *block = memalign(alignment, g_tier_sizes[i]);
            REQUIRE(block != NULL);
            size_t usable = malloc_usable_size(block);
            REQUIRE(usable >= g_tier_sizes[i]);
            block_fill(block, usable, 1);
            free(block);
        }
    }
}
