/* handed_over.c - one thread allocates, another one frees. */
#include "probes.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "common.h"

enum { RING = 1 << 17, RING_BYTES_MEAN = 500, PAIR_ROUNDS = 20 };

struct pair {
    struct block *ring;
    size_t count, ring_size;
    _Atomic(size_t) made, ended;
    pthread_barrier_t made_all, freed_all;
};

static void *sleeping_maker(void *arg)
{
    struct pair *pair = arg;
    struct rng r = rng_make(1);
    for (size_t i = 0; i < pair->count; i++) {
        pair->ring[i] = block_new(rng_log_size(&r, 16, 512), (uint32_t)i);
    }
    pthread_barrier_wait(&pair->made_all);
    pthread_barrier_wait(&pair->freed_all); // asleep until all is over
    return NULL;
}

static void free_of_sleeper(void *(*make)(void *))
{
    struct pair pair = {.count = bench_scaled(700000, 1000)};
    pthread_t maker;
    pair.ring = memory_table(pair.count * sizeof *pair.ring);
    pthread_barrier_init(&pair.made_all, NULL, 2);
    pthread_barrier_init(&pair.freed_all, NULL, 2);
    memory_begin();
    if (pthread_create(&maker, NULL, make, &pair) != 0) {
        bench_fail("cannot create a thread");
    }
    pthread_barrier_wait(&pair.made_all);
    size_t peak = memory_resident();
    for (size_t i = 0; i < pair.count; i++) {
        block_free(&pair.ring[i]);
    }
    memory_live_lightly(1);
    bench_metric("left_percent", memory_share(memory_resident(), peak));
    pthread_barrier_wait(&pair.freed_all);
    pthread_join(maker, NULL);
}

// A thread allocates 100 MB and sleeps; another one frees all of it and lives on for a second.
void probe_sleeper(void)
{
    free_of_sleeper(sleeping_maker);
}

static void *overwriting_maker(void *arg)
{
    struct pair *pair = arg;
    struct rng r = rng_make(1);
    for (size_t i = 0; i < 2 * pair->count; i++) { // first all of them, then any
        struct block *b = &pair->ring[i < pair->count ? i : rng_below(&r, pair->count)];
        block_free(b);
        *b = block_new(rng_log_size(&r, 16, 512), (uint32_t)i);
    }
    pthread_barrier_wait(&pair->made_all);
    pthread_barrier_wait(&pair->freed_all); // asleep until all is over
    return NULL;
}

// 100 MB of a thread whose blocks were overwritten at random once, so that neighbours in memory
// are none in the order of frees; then it sleeps, and another one frees all.
void probe_overwritten(void)
{
    free_of_sleeper(overwriting_maker);
}

static void *free_only(void *arg)
{
    struct pair *pair = arg;
    for (size_t i = 0; i < pair->count; i++) {
        // acquire: pairs with the release of the maker
        while (atomic_load_explicit(&pair->made, memory_order_acquire) <= i + pair->ring_size / 2 &&
               atomic_load_explicit(&pair->made, memory_order_acquire) < pair->count) {
            sched_yield();
        }
        block_free(&pair->ring[i % pair->ring_size]);
        atomic_store_explicit(&pair->ended, i + 1, memory_order_release); // pairs with the maker's
    }
    return NULL;
}

// One thread only allocates and another one only frees, up to 64 MB behind.
void probe_freeonly(void)
{
    struct pair pair = {.ring_size = bench_scaled(RING, 1024)};
    struct rng r = rng_make(2);
    pthread_t freer;
    size_t peak_resident = 0;
    size_t peak_count = 0;
    pair.ring = memory_table(pair.ring_size * sizeof *pair.ring);
    pair.count = PAIR_ROUNDS * pair.ring_size;
    memory_begin();
    if (pthread_create(&freer, NULL, free_only, &pair) != 0) {
        bench_fail("cannot create a thread");
    }
    for (size_t i = 0; i < pair.count; i++) {
        // acquire: pairs with the release of free_only
        while (i - atomic_load_explicit(&pair.ended, memory_order_acquire) >= pair.ring_size) {
            sched_yield();
        }
        pair.ring[i % pair.ring_size] =
            block_new(rng_between(&r, 16, (size_t)2 * RING_BYTES_MEAN - 16), (uint32_t)i);
        atomic_store_explicit(&pair.made, i + 1, memory_order_release); // pairs with free_only
        if (i % (pair.ring_size / 8) == 0) {
            size_t now = memory_resident();
            size_t live = i + 1 - atomic_load_explicit(&pair.ended, memory_order_relaxed);
            peak_resident = now > peak_resident ? now : peak_resident;
            peak_count = live > peak_count ? live : peak_count;
        }
    }
    pthread_join(freer, NULL);
    bench_metric("rss_per_live", (double)peak_resident / ((double)peak_count * RING_BYTES_MEAN));
}
