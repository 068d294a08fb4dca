/*
 * heirs: threads that fill and die, then the main thread frees all. Stands for: caches that worker
 * threads built, parallel loaders of tables. Nobody but the main thread is left when 80 MB are
 * freed, and what it keeps afterwards is seen in the RSS after the run.
 * Live floor: 280,000 blocks of 32 to 1,024 bytes (290 on average): 80 MB in all.
 */
#include "common.h"

enum { BLOCKS = 280000, ROUNDS = 6 };

struct part {
    struct block *blocks;
    size_t count;
    struct rng rng;
};

static void build(void *arg)
{
    struct part *part = arg;
    for (size_t i = 0; i < part->count; i++) {
        part->blocks[i] = block_new(rng_log_size(&part->rng, 32, 1024), (uint32_t)i);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "heirs", "");
    size_t each = bench_scaled(BLOCKS, 1000) / g_bench.thread_count + 1;
    struct block *blocks = bench_table(g_bench.thread_count * each * sizeof *blocks);
    struct part *parts = bench_table(g_bench.thread_count * sizeof *parts);
    for (unsigned i = 0; i < g_bench.thread_count; i++) {
        parts[i] = (struct part){&blocks[i * each], each, rng_make(i)};
    }
    double start = bench_now();
    for (unsigned round = 0; round < ROUNDS; round++) {
        bench_run_threads(g_bench.thread_count, build, parts, sizeof *parts);
        for (size_t i = 0; i < g_bench.thread_count * each; i++) {
            block_free(&blocks[i]);
        }
    }
    bench_result(ROUNDS * g_bench.thread_count * each, bench_now() - start);
    return 0;
}
