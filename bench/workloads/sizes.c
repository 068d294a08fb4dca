/*
 * sizes: every size, random lifetimes, on each thread by itself. Stands for: ordinary C and C++
 * programs; a few sizes are frequent, the tail is long. A table of slots; a step frees a random
 * slot or fills it.
 * Live floor: 20,000 of 40,000 slots are full, 300 bytes on average: 6 MB, split over the threads.
 */
#include "common.h"

enum { SLOTS = 40000, STEPS = 12000000 };

struct task {
    size_t slots, steps;
    uint64_t stream;
};

// Half of the requests are 16 to 128 bytes, the others reach 8 KiB, one in 2,000 is up to 128 KiB.
static size_t pick_size(struct rng *r)
{
    size_t die = rng_below(r, 2000);
    if (die == 0) {
        return rng_log_size(r, 8192, 131072);
    }
    return die < 1000   ? rng_between(r, 1, 128)
           : die < 1960 ? rng_log_size(r, 64, 1024)
                        : rng_log_size(r, 1024, 8192);
}

static void run_task(void *arg)
{
    const struct task *task = arg;
    struct rng r = rng_make(task->stream);
    struct block *slots = bench_table(task->slots * sizeof *slots);
    for (size_t i = 0; i < task->steps; i++) {
        struct block *slot = &slots[rng_below(&r, task->slots)];
        if (slot->at == NULL) {
            *slot = block_new(pick_size(&r), (uint32_t)rng_next(&r));
        } else {
            block_free(slot);
        }
    }
    for (size_t i = 0; i < task->slots; i++) {
        block_free(&slots[i]);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "sizes", "");
    unsigned threads = g_bench.thread_count;
    struct task *tasks = bench_table(threads * sizeof *tasks);
    for (unsigned i = 0; i < threads; i++) {
        tasks[i] = (struct task){bench_scaled(SLOTS, 100) / threads + 1,
                                 bench_scaled(STEPS, 1000) / threads + 1, i};
    }
    double start = bench_now();
    bench_run_threads(threads, run_task, tasks, sizeof *tasks);
    bench_result(tasks[0].steps * threads, bench_now() - start);
    return 0;
}
