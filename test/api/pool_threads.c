/* pool_threads.c - pools that threads share. */
#include <pthread.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/extensions.h"
#include "support/harness.h"

static struct myalloc_pool_stats stats_of(struct myalloc_pool *pool)
{
    struct myalloc_pool_stats stats;
    REQUIRE_EQUAL(myalloc_pool_stats(pool, &stats, sizeof stats), 0);
    return stats;
}

enum { THREADS = 4, ROUNDS = 20000, SLOTS = 64 };

struct worker {
    struct myalloc_pool *pool;
    unsigned seed;
    size_t fixed;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    unsigned random = worker->seed;
    struct {
        char *block;
        size_t bytes;
        unsigned seed;
    } slots[SLOTS] = {{0}};
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1664525U + 1013904223U;
        size_t at = (random >> 8) % SLOTS;
        if (slots[at].block != NULL) {
            REQUIRE(block_holds(slots[at].block, slots[at].bytes, slots[at].seed));
            myalloc_pool_free(worker->pool, slots[at].block);
        }
        slots[at].bytes = worker->fixed != 0 ? worker->fixed : 1 + (random >> 16) % 700;
        slots[at].seed = random;
        slots[at].block = myalloc_pool_alloc(worker->pool, slots[at].bytes);
        REQUIRE(slots[at].block != NULL);
        block_fill(slots[at].block, slots[at].bytes, random);
    }
    for (size_t at = 0; at < SLOTS; at++) {
        if (slots[at].block != NULL) {
            REQUIRE(block_holds(slots[at].block, slots[at].bytes, slots[at].seed));
            myalloc_pool_free(worker->pool, slots[at].block);
        }
    }
    return NULL;
}

static void require_shared(size_t fixed)
{
    struct myalloc_pool *pool = myalloc_pool_create(fixed, 0);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){pool, 77 + i, fixed};
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    REQUIRE_EQUAL(stats_of(pool).blocks, 0);
    REQUIRE_EQUAL(stats_of(pool).used, 0);
    REQUIRE_EQUAL(stats_of(pool).chunks, 1);
    if (fixed == 0) {
        REQUIRE_EQUAL(stats_of(pool).free_pieces, 1);
    }
    myalloc_pool_destroy(pool);
}

TEST(threads_share_a_pool)
{
    ONLY_LIBRARY();
    require_shared(0);
    require_shared(96);
}
