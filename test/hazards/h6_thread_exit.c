/* h6_thread_exit.c - frees after a thread's heap is gone, and thousands of short threads. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/blocks.h"
#include "support/harness.h"
#include "support/process.h"

enum { SHORT_THREADS = 10000 };

static pthread_key_t g_keys[4];

static void free_late(void *block)
{
    free(block);
}

/* Sets the next key from inside a destructor, so that some destructor runs after ours in any order.
 */
static void free_later_still(void *block)
{
    static _Thread_local int g_round;
    if (++g_round < 3) {
        pthread_setspecific(g_keys[3], block);
    } else {
        free(block);
    }
}

static void *leave_blocks_to_destructors(void *unused)
{
    pthread_setspecific(g_keys[0], malloc(40));
    pthread_setspecific(g_keys[1], malloc(4000));
    pthread_setspecific(g_keys[2], malloc(100000));
    pthread_setspecific(g_keys[3], malloc(400));
    return unused;
}

static void run_thread(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, run, argument), 0);
    pthread_join(thread, NULL);
}

TEST(the_last_free_may_come_in_a_later_key_destructor)
{
    for (size_t i = 0; i < 3; i++) {
        REQUIRE_EQUAL(pthread_key_create(&g_keys[i], free_late), 0);
    }
    REQUIRE_EQUAL(pthread_key_create(&g_keys[3], free_later_still), 0);
    for (int i = 0; i < 100; i++) {
        run_thread(leave_blocks_to_destructors, NULL);
    }
    size_t rss_before = process_rss_bytes();
    for (int i = 0; i < 3000; i++) {
        run_thread(leave_blocks_to_destructors, NULL);
    }
    REQUIRE(process_rss_bytes() <= rss_before + MIB);
}

static void *allocate_some(void *unused)
{
    void *blocks[32];
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = malloc(16 + i * 300);
        memset(blocks[i], 1, 16);
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        free(blocks[i]);
    }
    return unused;
}

TEST(ten_thousand_short_threads_leave_the_rss_flat)
{
    for (int i = 0; i < 100; i++) {
        run_thread(allocate_some, NULL);
    }
    size_t rss_before = process_rss_bytes();
    for (int i = 0; i < SHORT_THREADS; i++) {
        run_thread(allocate_some, NULL);
    }
    REQUIRE(process_rss_bytes() <= rss_before + 256 * KIB);
}

static void *free_all(void *argument)
{
    void **blocks = argument;
    for (size_t i = 0; i < 64; i++) {
        free(blocks[i]);
    }
    return NULL;
}

static void free_64_blocks_in_a_thread(void)
{
    void *blocks[64];
    for (size_t i = 0; i < 64; i++) {
        blocks[i] = malloc(100 + i * 50);
        REQUIRE(blocks[i] != NULL);
        memset(blocks[i], 1, 100);
    }
    run_thread(free_all, blocks);
}

TEST(threads_that_only_free_give_everything_back)
{
    for (int i = 0; i < 2000; i++) { // whoever keeps blocks at hand keeps all that it ever will
        free_64_blocks_in_a_thread();
    }
    size_t rss_before = process_rss_bytes();
    for (int i = 0; i < 3000; i++) {
        free_64_blocks_in_a_thread();
    }
    REQUIRE(process_rss_bytes() <= rss_before + MIB);
}

static void *give_block(void *unused)
{
    (void)unused;
    char *block = malloc(500);
    block_fill(block, 500, 1);
    return block;
}

TEST(blocks_outlive_their_thread)
{
    void *blocks[500];
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        pthread_t thread;
        REQUIRE_EQUAL(pthread_create(&thread, NULL, give_block, NULL), 0);
        pthread_join(thread, &blocks[i]);
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        REQUIRE(block_holds(blocks[i], 500, 1));
        free(blocks[i]);
    }
}
