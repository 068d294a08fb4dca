/*
 * falseshare: does the allocator put small blocks of different threads into one cache line?
 * Stands for: per-thread counters and buffers in parallel numerical code. `active`: each thread
 * allocates a small block, writes it many times, frees it, again and again. `passive`: the main
 * thread allocates one block for each thread, neighbours in memory; each thread first frees the one
 * it was given and then does the same; an allocator that hands that memory out again to the
 * freeing thread keeps the false sharing alive.
 * Live floor: one block of 8 bytes a thread: nothing.
 */
#include "common.h"

enum { ROUNDS = 600000, WRITES = 3000, BLOCK_BYTES = 8 };

struct task {
    struct block given; // empty in `active`
    size_t rounds;
};

static void write_often(unsigned char *at)
{
    volatile unsigned char *byte = at;
    for (unsigned i = 0; i < WRITES; i++) {
        byte[i % BLOCK_BYTES] = (unsigned char)(byte[i % BLOCK_BYTES] + 1);
    }
}

static void run_task(void *arg)
{
    struct task *task = arg;
    block_free(&task->given);
    for (size_t i = 0; i < task->rounds; i++) {
        struct block b = block_new(BLOCK_BYTES, (uint32_t)i);
        block_check(&b);
        write_often(b.at);
        block_stamp(&b);
        block_free(&b);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "falseshare", "active passive");
    unsigned threads = g_bench.thread_count;
    size_t rounds = bench_scaled(ROUNDS, 100) / threads + 1;
    struct task *tasks = bench_table(threads * sizeof *tasks);
    double start = bench_now();
    for (unsigned i = 0; i < threads; i++) {
        tasks[i].rounds = rounds;
        if (bench_is_variant("passive")) {
            tasks[i].given = block_new(BLOCK_BYTES, i);
        }
    }
    bench_run_threads(threads, run_task, tasks, sizeof *tasks);
    bench_result(rounds * threads, bench_now() - start);
    return 0;
}
