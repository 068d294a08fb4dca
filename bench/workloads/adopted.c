/*
 * adopted: blocks that the main thread made and workers replace for ever. Stands for: servers that
 * load their tables at the start, and then update them from a pool of threads. The first free of
 * each place is of a block that a thread made which does nothing else any more.
 * Live floor: 400,000 blocks of 16 to 512 bytes (148 on average): 56 MiB in all.
 */
#include "common.h"

enum { BLOCKS = 400000, STEPS = 8000000 };

struct share {
    struct block *blocks;
    struct rng rng;
    size_t count, steps;
};

static void replace(void *arg)
{
    struct share *share = arg;
    for (size_t i = 0; i < share->steps; i++) {
        struct block *b = &share->blocks[rng_below(&share->rng, share->count)];
        block_free(b);
        *b = block_new(rng_log_size(&share->rng, 16, 512), (uint32_t)i);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "adopted", "");
    struct rng r = rng_make(0);
    size_t each = bench_scaled(BLOCKS, 1000) / g_bench.thread_count;
    size_t count = each * g_bench.thread_count;
    size_t steps = bench_scaled(STEPS, 1000) / g_bench.thread_count;
    struct block *blocks = bench_table(count * sizeof *blocks);
    struct share *shares = bench_table(g_bench.thread_count * sizeof *shares);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = block_new(rng_log_size(&r, 16, 512), (uint32_t)i);
    }
    for (unsigned i = 0; i < g_bench.thread_count; i++) {
        shares[i] = (struct share){&blocks[i * each], rng_make(i + 1), each, steps};
    }
    double start = bench_now();
    bench_run_threads(g_bench.thread_count, replace, shares, sizeof *shares);
    double seconds = bench_now() - start;
    for (size_t i = 0; i < count; i++) {
        block_free(&blocks[i]);
    }
    bench_result(steps * g_bench.thread_count, seconds);
    return 0;
}
