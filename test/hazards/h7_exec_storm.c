/* h7_exec_storm.c - a program that runs itself anew, again and again, while its threads allocate:
 * every start finds a heap that works, whatever the one before was doing.
 *   EXECS  in all
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/harness.h"

enum { EXECS = 150, CHURNING_THREADS = 2 };

static void use_all_tiers(void)
{
    for (unsigned i = 0; i < g_tier_size_count; i += 3) {
        size_t bytes = g_tier_sizes[i] < 100000 ? g_tier_sizes[i] : 100000;
        char *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        block_fill(block, bytes, i);
        REQUIRE(block_holds(block, bytes, i));
        free(block);
    }
}

static void *churn(void *unused)
{
    for (;;) {
        use_all_tiers();
    }
    return unused;
}

TEST(a_storm_of_execs_beside_threads_that_allocate)
{
    const char *text = getenv("EXECS");
    int left = text != NULL ? atoi(text) : EXECS;
    char next[16];
    pthread_t thread;
    use_all_tiers();
    if (left == 0) {
        return;
    }
    for (int i = 0; i < CHURNING_THREADS; i++) {
        REQUIRE_EQUAL(pthread_create(&thread, NULL, churn, NULL), 0);
    }
    use_all_tiers();
    snprintf(next, sizeof next, "%d", left - 1);
    REQUIRE_EQUAL(setenv("EXECS", next, 1), 0);
    execl("/proc/self/exe", "exec_storm", __func__, (char *)NULL);
    REQUIRE(!"exec works");
}
