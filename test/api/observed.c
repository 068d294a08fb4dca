/* observed.c - the heap is looked at, and options change, while threads allocate: no look disturbs
 * them or is far off, and at rest it is exact. Also built with the thread sanitizer. */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/extensions.h"
#include "support/harness.h"

enum { THREADS = 3, HELD = 200, LOOKS = 60, LARGEST = 100000 };

static atomic_bool g_is_over;
static atomic_ulong g_steps;

static size_t random_bytes(unsigned random)
{
    size_t limit = random % 16 == 0 ? LARGEST : random % 4 == 0 ? 6000 : 300;
    return 1 + (random >> 8) % limit;
}

static void *work(void *seed)
{
    struct {
        char *block;
        size_t bytes;
    } held[HELD] = {{NULL, 0}};
    unsigned random = (unsigned)(uintptr_t)seed;
    while (!atomic_load(&g_is_over)) {
        random = random * 1664525U + 1013904223U;
        size_t at = (random >> 4) % HELD;
        if (held[at].block != NULL) {
            REQUIRE(block_holds(held[at].block, held[at].bytes, (unsigned)at));
            free(held[at].block);
        }
        held[at].bytes = random_bytes(random);
        held[at].block = malloc(held[at].bytes);
        REQUIRE(held[at].block != NULL);
        block_fill(held[at].block, held[at].bytes, (unsigned)at);
        atomic_fetch_add(&g_steps, 1);
    }
    for (size_t at = 0; at < HELD; at++) {
        free(held[at].block);
    }
    return NULL;
}

static int sum_up(const struct myalloc_block *block, void *sum)
{
    if (block->state == MYALLOC_IN_USE) {
        *(size_t *)sum += block->bytes;
    }
    return 0;
}

static size_t walked(void)
{
    size_t sum = 0;
    REQUIRE_EQUAL(myalloc_walk(sum_up, &sum), 0);
    return sum;
}

static size_t counted(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

TEST(looks_at_a_busy_heap_are_never_far_off_and_exact_at_rest)
{
    ONLY_LIBRARY();
    pthread_t threads[THREADS];
    size_t before = counted();
    size_t most = walked() + (size_t)THREADS * HELD * LARGEST;
    for (uintptr_t i = 0; i < THREADS; i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < LOOKS; i++) {
        unsigned long steps = atomic_load(&g_steps);
        REQUIRE(counted() <= most);
        REQUIRE(walked() <= most);
        REQUIRE_EQUAL(mallopt(M_TOP_PAD, i % 2 * 65536), 1);
        REQUIRE_EQUAL(mallopt(M_MMAP_THRESHOLD, i % 2 != 0 ? 1 << 20 : 1 << 19), 1);
        while (atomic_load(&g_steps) < steps + 50) { /* they go on */
        }
    }
    atomic_store(&g_is_over, true);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    REQUIRE(counted() <= before + 4096 && before <= counted() + 4096); /* a thread's own */
    size_t in_use = walked();
    REQUIRE(in_use <= counted() + 4096 && counted() <= in_use + 4096);
}
