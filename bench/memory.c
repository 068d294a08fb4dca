/*
 * memory: what an allocator keeps, and what growing costs, for `make bench-memory`. These are
 * probes and no workloads: each makes one situation that real programs run into, as pure as can be,
 * and prints figures in its result line. Resident bytes count from a moment when the probe's own
 * tables are there already. Before each probe stands what it does.
 */
#include "common.h"

#include <malloc.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static struct {
    size_t resident_before;
} g_memory;

// ---- what the probes share ----

// A table that is resident from now on, so that using it changes no figure.
static void *touched_table(size_t bytes)
{
    void *at = bench_table(bytes);
    memset(at, 0, bytes);
    return at;
}

static void begin(void)
{
    g_memory.resident_before = bench_resident("Rss:");
}

// Bytes resident beyond those before the probe.
static size_t resident(void)
{
    size_t now = bench_resident("Rss:");
    return now > g_memory.resident_before ? now - g_memory.resident_before : 0;
}

static double share(size_t part, size_t whole) // in percent
{
    return 100 * (double)part / (double)whole;
}

static void nap_ms(long ms)
{
    const struct timespec nap = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&nap, NULL);
}

// A program that goes on: a few small blocks every millisecond.
static void live_lightly(double seconds)
{
    struct block few[8] = {{NULL, 0, 0}};
    double end = bench_now() + (g_bench.scale < 1 ? seconds / 20 : seconds);
    for (uint32_t i = 0; bench_now() < end; i++) {
        struct block *b = &few[i % 8];
        block_free(b);
        *b = block_new(16 + i % 100, i);
        nap_ms(1);
    }
    for (size_t i = 0; i < 8; i++) {
        block_free(&few[i]);
    }
}

// ---- given back ----

static void give_back(size_t count, size_t bytes)
{
    struct block *blocks = touched_table(count * sizeof *blocks);
    begin();
    for (size_t i = 0; i < count; i++) {
        blocks[i] = block_new(bytes, (uint32_t)i);
    }
    size_t peak = resident();
    for (size_t i = 0; i < count; i++) {
        block_free(&blocks[i]);
    }
    bench_metric("left_at_once_percent", share(resident(), peak));
    live_lightly(2);
    bench_metric("left_percent", share(resident(), peak));
    malloc_trim(0);
    bench_metric("left_trimmed_percent", share(resident(), peak));
}

// 500 MB of 500-byte blocks, all freed: what is left while the program goes on lightly for 2 s, and
// after malloc_trim.
static void probe_small(void)
{
    give_back(bench_scaled(1000000, 1000), 500);
}

// The same with 500 blocks of 1 MB.
static void probe_large(void)
{
    give_back(bench_scaled(500, 10), 1000000);
}

// ---- threads ----

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
static void probe_threads(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&g_gate.filled, NULL, THREADS + 1);
    pthread_barrier_init(&g_gate.measured, NULL, THREADS + 1);
    bench_run_threads(1, fill_and_wait, NULL, 0); // the first thread of a process pays for the rest
    begin();
    for (size_t i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, fill_in_thread, &g_gate) != 0) {
            bench_fail("cannot create thread %zu", i);
        }
    }
    pthread_barrier_wait(&g_gate.filled);
    bench_metric("live_thread_kib", (double)resident() / THREADS / KIB);
    pthread_barrier_wait(&g_gate.measured);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    bench_metric("ended_thread_kib", (double)resident() / THREADS / KIB);
}

// 10,000 such threads, one after the other: growth of the resident bytes since the 100th.
static void probe_spawned(void)
{
    size_t count = bench_scaled(SPAWNED, (size_t)2 * SPAWNED_FIRST);
    for (size_t i = 0; i < count; i++) {
        if (i == SPAWNED_FIRST) {
            begin();
        }
        bench_run_threads(1, fill_and_wait, NULL, 0);
    }
    bench_metric("growth_kib", (double)resident() / KIB);
}

// ---- fragmentation ----

enum { ATTACK_SMALLEST = 32, ATTACK_LARGEST = 16384 };

// Frees every second block in the order of allocation, so that no two neighbours are free where
// the allocator has put them side by side; returns how many are kept.
static size_t free_every_second(struct block *blocks, size_t count, size_t *live)
{
    for (size_t i = 1; i < count; i += 2) {
        *live -= blocks[i].bytes;
        block_free(&blocks[i]);
    }
    for (size_t i = 1; 2 * i < count; i++) {
        blocks[i] = blocks[2 * i];
    }
    return (count + 1) / 2;
}

// After Robson: sizes double, and half of the blocks survives each time between holes that are too
// small for the next size.
static void probe_attack(void)
{
    size_t goal = bench_scaled(32, 1) * MIB;
    struct block *blocks = touched_table(goal / ATTACK_SMALLEST * sizeof *blocks);
    size_t count = 0;
    size_t live = 0;
    begin();
    for (size_t bytes = ATTACK_SMALLEST; bytes <= ATTACK_LARGEST; bytes *= 2) {
        count = free_every_second(blocks, count, &live);
        for (; live + bytes <= goal; live += bytes) {
            blocks[count] = block_new(bytes, (uint32_t)count);
            count++;
        }
    }
    bench_metric("rss_per_live", (double)resident() / (double)live);
    for (size_t i = 0; i < count; i++) {
        block_free(&blocks[i]);
    }
}

// Sizes change four times; one block in four survives each change.
static void probe_phases(void)
{
    static const size_t k_limits[] = {16, 64, 96, 160, 256, 400};
    enum { PHASES = sizeof k_limits / sizeof k_limits[0] - 1, SURVIVES_ONE_IN = 4 };
    struct rng r = rng_make(0);
    size_t count = bench_scaled(400000, 1000);
    struct block *blocks = touched_table(count * sizeof *blocks);
    begin();
    for (size_t phase = 0; phase < PHASES; phase++) {
        for (size_t i = 0; i < count; i++) {
            if (blocks[i].at == NULL) {
                blocks[i] =
                    block_new(rng_between(&r, k_limits[phase], k_limits[phase + 1]), (uint32_t)i);
            }
        }
        for (size_t i = 0; i < count; i++) {
            if (rng_below(&r, SURVIVES_ONE_IN) != 0) {
                block_free(&blocks[i]);
            }
        }
    }
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        live += blocks[i].at != NULL ? blocks[i].bytes : 0;
    }
    bench_metric("rss_per_live", (double)resident() / (double)live);
    for (size_t i = 0; i < count; i++) {
        block_free(&blocks[i]);
    }
}

// ---- one thread allocates, another one frees ----

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

// A thread allocates 100 MB and sleeps; another one frees all of it and lives on for a second.
static void probe_sleeper(void)
{
    struct pair pair = {.count = bench_scaled(700000, 1000)};
    pthread_t maker;
    pair.ring = touched_table(pair.count * sizeof *pair.ring);
    pthread_barrier_init(&pair.made_all, NULL, 2);
    pthread_barrier_init(&pair.freed_all, NULL, 2);
    begin();
    if (pthread_create(&maker, NULL, sleeping_maker, &pair) != 0) {
        bench_fail("cannot create a thread");
    }
    pthread_barrier_wait(&pair.made_all);
    size_t peak = resident();
    for (size_t i = 0; i < pair.count; i++) {
        block_free(&pair.ring[i]);
    }
    live_lightly(1);
    bench_metric("left_percent", share(resident(), peak));
    pthread_barrier_wait(&pair.freed_all);
    pthread_join(maker, NULL);
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
static void probe_freeonly(void)
{
    struct pair pair = {.ring_size = bench_scaled(RING, 1024)};
    struct rng r = rng_make(2);
    pthread_t freer;
    size_t peak_resident = 0;
    size_t peak_count = 0;
    pair.ring = touched_table(pair.ring_size * sizeof *pair.ring);
    pair.count = PAIR_ROUNDS * pair.ring_size;
    begin();
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
            size_t now = resident();
            size_t live = i + 1 - atomic_load_explicit(&pair.ended, memory_order_relaxed);
            peak_resident = now > peak_resident ? now : peak_resident;
            peak_count = live > peak_count ? live : peak_count;
        }
    }
    pthread_join(freer, NULL);
    bench_metric("rss_per_live", (double)peak_resident / ((double)peak_count * RING_BYTES_MEAN));
}

// ---- growth by realloc ----

enum { GROWN_FROM = 64, APPENDED = 7, GIVE_UP_SECONDS = 5, LOOK_EVERY = 1024 };

// The growing alone, up to `goal` bytes or until it is given up; returns the block, its size in
// *grown. Growth by steps writes each step, as an append does; growth by half (step 0) touches
// nothing but the zeroed first bytes.
static char *grow_block(size_t goal, size_t step, size_t *grown)
{
    double end = bench_now() + GIVE_UP_SECONDS;
    char *at = calloc(1, GROWN_FROM);
    size_t bytes = GROWN_FROM;
    for (size_t i = 1; at != NULL && bytes < goal; i++) {
        size_t next = step == 0 ? bytes + bytes / 2 : bytes + step;
        next = next < goal ? next : goal;
        at = realloc(at, next);
        if (at != NULL && step != 0) {
            memset(at + bytes, APPENDED, next - bytes);
        }
        bytes = next;
        if (i % LOOK_EVERY == 0 && bench_now() > end) {
            break;
        }
    }
    if (at == NULL) {
        bench_fail("no memory to grow to %zu bytes", goal);
    }
    *grown = bytes;
    return at;
}

// An allocator that copies at every step would take minutes: 5000 ms mean "given up".
static void grow(size_t goal, size_t step)
{
    size_t grown;
    double start = bench_now();
    char *at = grow_block(goal, step, &grown);
    double seconds = grown < goal ? GIVE_UP_SECONDS : bench_now() - start;
    for (size_t i = 0; i < (step == 0 ? GROWN_FROM : grown); i++) {
        if (at[i] != (i < GROWN_FROM ? 0 : APPENDED)) {
            bench_fail("realloc lost byte %zu of %zu", i, grown);
        }
    }
    free(at);
    bench_metric("ms", seconds * 1e3);
}

// realloc by half of the size up to 256 MB of which nothing is touched: what a vector reserves.
static void probe_growth(void)
{
    grow(bench_scaled(256, 1) * MIB, 0);
}

// 4 KiB after the other, up to 32 MB: a file read in blocks.
static void probe_append4k(void)
{
    grow(bench_scaled(32, 1) * MIB, 4 * KIB);
}

// 16 bytes after the other, up to 2 MB: a string builder.
static void probe_append16(void)
{
    grow(bench_scaled(2048, 64) * KIB, 16);
}

// ---- pauses ----

enum { PAUSE_TEETH = 4, PAUSE_TOP_BYTES = 100000000, PAUSE_KEEP_ONE_IN = 100 };

// Processor time of this thread: what the scheduler gives to others does not count.
static uint64_t thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t longer(uint64_t since, uint64_t longest)
{
    uint64_t took = thread_ns() - since;
    return took > longest ? took : longest;
}

// The saw-tooth again: the longest single call, in processor time.
static void probe_pause(void)
{
    struct rng r = rng_make(0);
    size_t top_bytes = bench_scaled(PAUSE_TOP_BYTES, MIB);
    size_t count = top_bytes / 500;
    struct block *blocks = touched_table(count * sizeof *blocks);
    uint64_t longest_malloc = 0;
    uint64_t longest_free = 0;
    for (unsigned tooth = 0; tooth < PAUSE_TEETH; tooth++) {
        for (size_t i = 0; i < count; i++) {
            if (blocks[i].at == NULL) {
                size_t bytes = rng_log_size(&r, 32, 2048);
                uint64_t start = thread_ns();
                void *at = malloc(bytes);
                longest_malloc = longer(start, longest_malloc);
                blocks[i] = block_adopt(at, bytes, (uint32_t)i);
            }
        }
        for (size_t i = 0; i < count; i++) {
            if (i % PAUSE_KEEP_ONE_IN != tooth) {
                block_check(&blocks[i]);
                uint64_t start = thread_ns();
                free(blocks[i].at);
                longest_free = longer(start, longest_free);
                blocks[i].at = NULL;
            }
        }
    }
    bench_metric("malloc_us", (double)longest_malloc / 1e3);
    bench_metric("free_us", (double)longest_free / 1e3);
}

static const struct {
    const char *name;
    void (*run)(void);
} g_probes[] = {
    {"small", probe_small},       {"large", probe_large},       {"threads", probe_threads},
    {"spawned", probe_spawned},   {"attack", probe_attack},     {"phases", probe_phases},
    {"sleeper", probe_sleeper},   {"freeonly", probe_freeonly}, {"growth", probe_growth},
    {"append4k", probe_append4k}, {"append16", probe_append16}, {"pause", probe_pause},
};

int main(int argc, char **argv)
{
    bench_init(argc, argv, "memory",
               "small large threads spawned attack phases sleeper freeonly growth append4k "
               "append16 pause");
    double start = bench_now();
    for (size_t i = 0; i < sizeof g_probes / sizeof g_probes[0]; i++) {
        if (bench_is_variant(g_probes[i].name)) {
            g_probes[i].run();
        }
    }
    bench_result(1, bench_now() - start);
    return 0;
}
