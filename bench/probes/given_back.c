/* given_back.c - what is left when a program has freed. */
#include "probes.h"

#include <malloc.h>
#include <string.h>

#include "common.h"

static void give_back(size_t count, size_t bytes)
{
    struct block *blocks = memory_table(count * sizeof *blocks);
    memory_begin();
    for (size_t i = 0; i < count; i++) {
        blocks[i] = block_new(bytes, (uint32_t)i);
    }
    size_t peak = memory_resident();
    for (size_t i = 0; i < count; i++) {
        block_free(&blocks[i]);
    }
    bench_metric("left_at_once_percent", memory_share(memory_resident(), peak));
    memory_live_lightly(2);
    bench_metric("left_percent", memory_share(memory_resident(), peak));
    malloc_trim(0);
    bench_metric("left_trimmed_percent", memory_share(memory_resident(), peak));
}

// 500 MB of 500-byte blocks, all freed: what is left while the program goes on lightly for 2 s, and
// after malloc_trim.
void probe_small(void)
{
    give_back(bench_scaled(1000000, 1000), 500);
}

// The same with 500 blocks of 1 MB.
void probe_large(void)
{
    give_back(bench_scaled(500, 10), 1000000);
}

// ---- up and down ----

enum {
    BREATHS = 12,
    SMALL_PAIRS = 2000,
    BREATH_MIB = 120,
    HUGE_MIB = 300,
    LARGEST_VECTOR_MIB = 64
};

static void left_mib(void)
{
    bench_metric("left_mib", (double)memory_resident() / MIB);
}

// The program goes on for a moment: what is free has its chance to go back.
static void small_pairs(struct rng *r)
{
    for (uint32_t i = 0; i < SMALL_PAIRS; i++) {
        struct block b = block_new(16 + rng_below(r, 200), i);
        block_free(&b);
    }
}

// Fills a table up to `goal` bytes; returns how many blocks there are.
static size_t rise(struct block *blocks, size_t goal, struct rng *r)
{
    size_t count = 0;
    for (size_t bytes = 0; bytes < goal; bytes += blocks[count++].bytes) {
        blocks[count] = block_new(16 + rng_below(r, 500), (uint32_t)count);
    }
    return count;
}

static void fall(struct block *blocks, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        block_free(&blocks[i]);
    }
}

// 12 times 120 MiB of small blocks up and down, then 2,000 small pairs.
void probe_breath(void)
{
    struct rng r = rng_make(0);
    size_t goal = bench_scaled(BREATH_MIB, 1) * MIB;
    struct block *blocks = memory_table(goal / 16 * sizeof *blocks);
    memory_begin();
    for (size_t i = 0; i < BREATHS; i++) {
        fall(blocks, 0, rise(blocks, goal, &r));
    }
    small_pairs(&r);
    left_mib();
}

// The same with one huge block.
void probe_hugebreath(void)
{
    struct rng r = rng_make(0);
    size_t bytes = bench_scaled(HUGE_MIB, 2) * MIB;
    memory_begin();
    for (uint32_t i = 0; i < BREATHS; i++) {
        struct block b = block_new(bytes, i);
        block_free(&b);
    }
    small_pairs(&r);
    left_mib();
}

// A million blocks of 100 bytes rise and fall twice: what is left after the second time.
void probe_rises(void)
{
    size_t count = bench_scaled(1000000, 1000);
    struct block *blocks = memory_table(count * sizeof *blocks);
    memory_begin();
    for (unsigned time = 0; time < 2; time++) {
        for (size_t i = 0; i < count; i++) {
            blocks[i] = block_new(100, (uint32_t)i);
        }
        fall(blocks, 0, count);
    }
    left_mib();
}

// Twenty vectors that double up to 64 MiB by malloc, copy and free, one after the other.
void probe_vectors(void)
{
    size_t goal = bench_scaled(LARGEST_VECTOR_MIB, 1) * MIB;
    memory_begin();
    for (unsigned i = 0; i < 20; i++) {
        struct block vector = block_new(16, i);
        while (vector.bytes < goal) {
            struct block twice = block_new((size_t)2 * vector.bytes, i);
            block_free(&vector);
            vector = twice;
        }
        block_free(&vector);
    }
    left_mib();
}

// Ten times between 40 and 100 MB, then a last drop to 1 MB, and three seconds without a call.
void probe_drop(void)
{
    struct rng r = rng_make(0);
    size_t top = bench_scaled(100, 1) * MIB;
    struct block *blocks = memory_table(top / 16 * sizeof *blocks);
    memory_begin();
    size_t count = rise(blocks, top, &r);
    for (unsigned i = 0; i < 10; i++) {
        size_t kept = count * 2 / 5;
        fall(blocks, kept, count);
        count = kept + rise(blocks + kept, top * 3 / 5, &r);
    }
    size_t kept = count / 100;
    fall(blocks, kept, count);
    bench_metric("left_at_once_mib", (double)memory_resident() / MIB);
    memory_nap(3);
    left_mib();
    fall(blocks, 0, kept);
}
