/* fragmentation.c - resident bytes for each live byte when sizes change. */
#include "probes.h"

#include "common.h"

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
void probe_attack(void)
{
    size_t goal = bench_scaled(32, 1) * MIB;
    struct block *blocks = memory_table(goal / ATTACK_SMALLEST * sizeof *blocks);
    size_t count = 0;
    size_t live = 0;
    memory_begin();
    for (size_t bytes = ATTACK_SMALLEST; bytes <= ATTACK_LARGEST; bytes *= 2) {
        count = free_every_second(blocks, count, &live);
        for (; live + bytes <= goal; live += bytes) {
            blocks[count] = block_new(bytes, (uint32_t)count);
            count++;
        }
    }
    bench_metric("rss_per_live", (double)memory_resident() / (double)live);
    for (size_t i = 0; i < count; i++) {
        block_free(&blocks[i]);
    }
}

// Sizes change four times; one block in four survives each change.
void probe_phases(void)
{
    static const size_t k_limits[] = {16, 64, 96, 160, 256, 400};
    enum { PHASES = sizeof k_limits / sizeof k_limits[0] - 1, SURVIVES_ONE_IN = 4 };
    struct rng r = rng_make(0);
    size_t count = bench_scaled(400000, 1000);
    struct block *blocks = memory_table(count * sizeof *blocks);
    memory_begin();
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
    bench_metric("rss_per_live", (double)memory_resident() / (double)live);
    for (size_t i = 0; i < count; i++) {
        block_free(&blocks[i]);
    }
}

static size_t live_bytes(const struct block *blocks, size_t count)
{
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        live += blocks[i].at != NULL ? blocks[i].bytes : 0;
    }
    return live;
}

static void metric_per_live(const char *name, const struct block *blocks, size_t count)
{
    bench_metric(name, (double)memory_resident() / (double)live_bytes(blocks, count));
}

static void fill(struct block *blocks, size_t count, size_t low, size_t high, struct rng *r)
{
    for (size_t i = 0; i < count; i++) {
        if (blocks[i].at == NULL) {
            blocks[i] = block_new(rng_between(r, low, high), (uint32_t)i);
        }
    }
}

static void free_but_one_in(struct block *blocks, size_t count, size_t one_in, struct rng *r)
{
    for (size_t i = 0; i < count; i++) {
        if (rng_below(r, one_in) != 0) {
            block_free(&blocks[i]);
        }
    }
}

// 100 MB of 100-byte blocks, nine in ten freed at random; then as many bytes in blocks of 1,000.
void probe_refill(void)
{
    struct rng r = rng_make(0);
    size_t count = bench_scaled(1000000, 1000);
    struct block *blocks = memory_table((count + count / 10) * sizeof *blocks);
    memory_begin();
    fill(blocks, count, 100, 100, &r);
    free_but_one_in(blocks, count, 10, &r);
    fill(blocks + count, count / 10, 1000, 1000, &r);
    metric_per_live("rss_per_live", blocks, count + count / 10);
    free_but_one_in(blocks, count + count / 10, SIZE_MAX, &r);
}

// A million blocks of 100 to 160 bytes; half of them freed at random, the places filled with blocks
// of 160 to 208.
void probe_refit(void)
{
    struct rng r = rng_make(0);
    size_t count = bench_scaled(1000000, 1000);
    struct block *blocks = memory_table(count * sizeof *blocks);
    memory_begin();
    fill(blocks, count, 100, 160, &r);
    metric_per_live("rss_per_live_full", blocks, count);
    free_but_one_in(blocks, count, 2, &r);
    metric_per_live("rss_per_live_half", blocks, count);
    fill(blocks, count, 160, 208, &r);
    metric_per_live("rss_per_live", blocks, count);
    free_but_one_in(blocks, count, SIZE_MAX, &r);
}
