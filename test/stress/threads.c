/* threads.c - thousands of threads, one after the other, each with memory of its own: some of it is
 * freed by the next ones, and what all of them leave behind is little.
 *   THREADS  in all
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/harness.h"
#include "support/process.h"

/* The caches of two CPUs hold up to 700 KiB here, the page heap 512: which of them are full in the
 * end depends on where the threads ran. What is lost stays when they are trimmed. */
enum { WARM_UP = 500, FEW = 9000, INHERITED = 8, CACHED_MAX = 1280 * KIB };

static unsigned char *g_inherited[INHERITED]; // of threads that are gone
static unsigned long g_checked;

static size_t inherited_bytes(size_t i)
{
    return i % INHERITED == 7 ? 70000 : 40 + i * 700 % 5000;
}

/* Frees what the threads before left, and leaves as much behind. */
static void *live_briefly(void *number)
{
    unsigned turn = (unsigned)(size_t)number;
    for (unsigned i = 0; i < 20; i++) {
        size_t bytes = 16 + (turn * 31 + i * 97) % 3000;
        unsigned char *block = malloc(bytes);
        REQUIRE(block != NULL);
        block[bytes - 1] = (unsigned char)i;
        free(block);
    }
    for (unsigned i = 0; i < INHERITED; i++) {
        size_t bytes = inherited_bytes(i);
        REQUIRE(g_inherited[i] == NULL || block_holds(g_inherited[i], bytes, i));
        g_checked += g_inherited[i] != NULL;
        free(g_inherited[i]);
        g_inherited[i] = malloc(bytes);
        REQUIRE(g_inherited[i] != NULL);
        block_fill(g_inherited[i], bytes, i);
    }
    return NULL;
}

static void run_threads(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pthread_t thread;
        REQUIRE_EQUAL(pthread_create(&thread, NULL, live_briefly, (void *)i), 0);
        pthread_join(thread, NULL);
    }
}

TEST(threads_one_after_the_other_leave_little_behind)
{
    const char *threads = getenv("THREADS");
    size_t count = threads != NULL ? strtoul(threads, NULL, 10) : FEW;
    run_threads(WARM_UP);
    (void)malloc_trim(0);
    size_t kept_before = process_rss_bytes();
    run_threads(WARM_UP);
    size_t rss_before = process_rss_bytes();
    run_threads(count);
    size_t rss = process_rss_bytes();
    (void)malloc_trim(0);
    long growth = (long)process_rss_bytes() - (long)kept_before;
    dprintf(STDOUT_FILENO, "# %zu threads, %lu blocks checked, RSS %+ld KiB, trimmed %+ld KiB\n",
            count, g_checked, ((long)rss - (long)rss_before) / 1024, growth / 1024);
    REQUIRE(growth <= (long)((count <= FEW ? 256 : 1024) * KIB));
    REQUIRE(rss <= rss_before + CACHED_MAX);
}
