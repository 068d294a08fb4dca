/* h20_destructors.c - destructors that allocate, in every thread that ends, must leave nothing. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "support/harness.h"
#include "support/process.h"

enum { WARM_UP_THREADS = 2000, THREADS = 5500, ROUNDS = 3 };

static pthread_key_t g_key;

static void allocate_in_destructor(void *block)
{
    free(block);
    static const size_t sizes[] = {24, 500, 3000, 20000, 100000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char *own = malloc(sizes[i]);
        memset(own, 1, sizes[i]);
        free(own);
    }
}

static void *end_with_destructor(void *unused)
{
    pthread_setspecific(g_key, malloc(100));
    return unused;
}

static void run_threads(int count)
{
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        REQUIRE_EQUAL(pthread_create(&thread, NULL, end_with_destructor, NULL), 0);
        pthread_join(thread, NULL);
    }
}

TEST(destructors_that_allocate_leave_nothing_behind)
{
    REQUIRE_EQUAL(pthread_key_create(&g_key, allocate_in_destructor), 0);
    run_threads(WARM_UP_THREADS);
    bool grows = true; // a leak in each round; the cache of a CPU that had not been used in one
    for (int round = 0; round < ROUNDS && grows; round++) {
        size_t rss_before = process_rss_bytes();
        run_threads(THREADS);
        grows = process_rss_bytes() > rss_before + 256 * KIB;
    }
    REQUIRE(!grows);
}
