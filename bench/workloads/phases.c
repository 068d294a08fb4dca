/*
 * phases: a program whose sizes change from phase to phase. Stands for: long-running servers and
 * browsers whose memory grows without a leak. 500,000 blocks; then, four times, nine in ten are
 * freed at random and their places are filled with blocks of the next range of sizes, so the holes
 * of one phase are too small for the next unless neighbours coalesce and empty pages go back.
 * Live floor: 20 MB in the first phase, 84 MB at the last peak, 8 MB at the end; the tables of
 * the workload itself are 10 MB more.
 */
#include "common.h"

enum { BLOCKS = 500000, ROUNDS = 4, KEEP_ONE_IN = 10 };

static const struct {
    size_t low, high;
} g_ranges[ROUNDS + 1] = {{16, 64}, {48, 96}, {80, 128}, {112, 192}, {144, 208}};

static uint64_t fill_empty(struct block *blocks, size_t count, unsigned range, struct rng *r)
{
    uint64_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        if (blocks[i].at == NULL) {
            blocks[i] = block_new(rng_between(r, g_ranges[range].low, g_ranges[range].high),
                                  (uint32_t)rng_next(r));
            filled++;
        }
    }
    return filled;
}

static void free_most(struct block *blocks, const uint32_t *order, size_t count, struct rng *r)
{
    for (size_t i = 0; i < count; i++) {
        if (rng_below(r, KEEP_ONE_IN) != 0) {
            block_free(&blocks[order[i]]);
        }
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "phases", "");
    struct rng r = rng_make(0);
    size_t count = bench_scaled(BLOCKS, 1000);
    struct block *blocks = bench_table(count * sizeof *blocks);
    uint32_t *order = bench_table(count * sizeof *order);
    for (size_t i = 0; i < count; i++) {
        order[i] = (uint32_t)i;
    }
    rng_shuffle(&r, order, count);
    double start = bench_now();
    uint64_t operations = fill_empty(blocks, count, 0, &r);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        free_most(blocks, order, count, &r);
        operations += fill_empty(blocks, count, round, &r);
    }
    free_most(blocks, order, count, &r);
    double seconds = bench_now() - start;
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        live += blocks[i].at != NULL ? blocks[i].bytes : 0;
    }
    bench_metric("live_after_kib", (double)live / KIB);
    bench_result(operations, seconds);
    return 0;
}
