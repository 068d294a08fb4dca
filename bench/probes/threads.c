/* threads.c - what threads cost while they live, and after their end. */
#include "probes.h"

#include <pthread.h>
#include <sys/mman.h>

#include "common.h"

enum { THREADS = 64, THREAD_BLOCKS = 65, SPAWNED = 10000, SPAWNED_FIRST = 100 };

static struct {
    pthread_barrier_t filled, measured;
} g_gate;

static void fill_and_wait(void *arg)
{
    struct block blocks[THREAD_BLOCKS];
    for (size_t i = 0; i < THREAD_BLOCKS; i++) {
        blocks[i] = block_new(8 * (i + 1), (uint32_t)i);
    }
    if (arg != NULL) {
        pthread_barrier_wait(&g_gate.filled);
        pthread_barrier_wait(&g_gate.measured);
    }
    for (size_t i = 0; i < THREAD_BLOCKS; i++) {
        block_free(&blocks[i]);
    }
}

static void *fill_in_thread(void *arg)
{
    fill_and_wait(arg);
    return NULL;
}

// 64 threads at once with 65 blocks of 8 to 520 bytes each: resident bytes for each thread, stack
// included, while all live and when all have freed their blocks and ended.
void probe_threads(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&g_gate.filled, NULL, THREADS + 1);
    pthread_barrier_init(&g_gate.measured, NULL, THREADS + 1);
    bench_run_threads(1, fill_and_wait, NULL, 0); // the first thread of a process pays for the rest
    memory_begin();
    for (size_t i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, fill_in_thread, &g_gate) != 0) {
            bench_fail("cannot create thread %zu", i);
        }
    }
    pthread_barrier_wait(&g_gate.filled);
    bench_metric("live_thread_kib", (double)memory_resident() / THREADS / KIB);
    pthread_barrier_wait(&g_gate.measured);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    bench_metric("ended_thread_kib", (double)memory_resident() / THREADS / KIB);
}

// 10,000 such threads, one after the other: growth of the resident bytes since the 100th.
void probe_spawned(void)
{
    size_t count = bench_scaled(SPAWNED, (size_t)2 * SPAWNED_FIRST);
    for (size_t i = 0; i < count; i++) {
        if (i == SPAWNED_FIRST) {
            memory_begin();
        }
        bench_run_threads(1, fill_and_wait, NULL, 0);
    }
    bench_metric("growth_kib", (double)memory_resident() / KIB);
}

// ---- random sizes ----

enum { PLACES = 4096, STEPS = 300000 };

static void replace_at_random(void *arg)
{
    struct rng r = *(struct rng *)arg;
    struct block *places = bench_table(PLACES * sizeof *places);
    size_t steps = bench_scaled(STEPS, 1000);
    for (size_t i = 0; i < steps; i++) {
        struct block *b = &places[rng_below(&r, PLACES)];
        block_free(b);
        *b = block_new(8 + rng_below(&r, rng_below(&r, 8) == 0 ? 30000 : 1000), (uint32_t)i);
    }
    for (size_t i = 0; i < PLACES; i++) {
        block_free(&places[i]);
    }
    if (munmap(places, PLACES * sizeof *places) != 0) {
        bench_fail("cannot unmap a table");
    }
}

static void end_with_nothing(unsigned count)
{
    struct rng streams[8];
    for (unsigned i = 0; i < count; i++) {
        streams[i] = rng_make(i);
    }
    memory_begin();
    bench_run_threads(count, replace_at_random, streams, sizeof streams[0]);
    bench_metric("left_mib", (double)memory_resident() / MIB);
}

// Two threads with random sizes of 8 to 1,000 bytes, one in eight up to 30,000, end with nothing.
void probe_random2(void)
{
    end_with_nothing(2);
}

// Eight of them.
void probe_random8(void)
{
    end_with_nothing(8);
}

// ---- a burst ----

enum { POOL = 16, BURST_BLOCKS = 30000 };

static void *burst_and_wait(void *arg)
{
    struct rng r = *(struct rng *)arg;
    struct block *blocks = bench_table(BURST_BLOCKS * sizeof *blocks);
    size_t count = bench_scaled(BURST_BLOCKS, 100);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = block_new(rng_log_size(&r, 16, 1024), (uint32_t)i);
    }
    pthread_barrier_wait(&g_gate.filled);
    for (size_t i = 0; i < count; i++) {
        block_free(&blocks[i]);
    }
    munmap(blocks, BURST_BLOCKS * sizeof *blocks);
    pthread_barrier_wait(&g_gate.measured); // a thread of a pool: it lives on, idle
    pthread_barrier_wait(&g_gate.measured);
    return NULL;
}

// 16 threads of a pool allocate 8 MB each in a burst, free all, and are idle for ten seconds.
void probe_burst(void)
{
    pthread_t threads[POOL];
    struct rng streams[POOL];
    pthread_barrier_init(&g_gate.filled, NULL, POOL + 1);
    pthread_barrier_init(&g_gate.measured, NULL, POOL + 1);
    memory_begin();
    for (size_t i = 0; i < POOL; i++) {
        streams[i] = rng_make(i);
        if (pthread_create(&threads[i], NULL, burst_and_wait, &streams[i]) != 0) {
            bench_fail("cannot create thread %zu", i);
        }
    }
    pthread_barrier_wait(&g_gate.filled);
    pthread_barrier_wait(&g_gate.measured);
    memory_nap(10);
    bench_metric("left_mib", (double)memory_resident() / MIB);
    pthread_barrier_wait(&g_gate.measured);
    for (size_t i = 0; i < POOL; i++) {
        pthread_join(threads[i], NULL);
    }
}
