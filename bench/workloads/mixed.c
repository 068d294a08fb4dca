/*
 * mixed: threads that live briefly, allocate random sizes, and pass some of their blocks to others.
 * Stands for: task schedulers, parallel builds, browsers. In each round every thread works on a
 * table of its own; one step in eight swaps the block with a random place of a table that all
 * threads share; the thread then frees what it still has and dies.
 * Live floor: 2,000 shared and 1,000 own blocks a thread of 16 to 4,096 bytes, a few of up to
 * 64 KiB: about 1.5 MB a thread.
 */
#include "common.h"

#include <sched.h>
#include <stdatomic.h>

enum { OWN = 1000, SHARED_PER_THREAD = 2000, ROUNDS = 10, STEPS = 12000000 };

struct shared_slot {
    atomic_flag busy; // held for the few instructions of a swap
    struct block block;
};
struct task {
    size_t steps, shared_count;
    struct shared_slot *shared;
    struct rng rng;
};

static void swap_shared(struct shared_slot *slot, struct block *own)
{
    while (atomic_flag_test_and_set_explicit(&slot->busy, memory_order_acquire)) {
        sched_yield();
    }
    struct block other = slot->block;
    slot->block = *own;
    *own = other;
    // release: pairs with the acquire above, in the next thread that takes the slot
    atomic_flag_clear_explicit(&slot->busy, memory_order_release);
}

static size_t pick_size(struct rng *r)
{
    return rng_below(r, 500) == 0 ? rng_log_size(r, 4096, 65536) : rng_log_size(r, 16, 4096);
}

static void run_task(void *arg)
{
    struct task *task = arg;
    struct rng r = task->rng;
    struct block own[OWN] = {{NULL, 0, 0}};
    for (size_t i = 0; i < task->steps; i++) {
        struct block *b = &own[rng_below(&r, OWN)];
        if (rng_below(&r, 8) == 0) {
            swap_shared(&task->shared[rng_below(&r, task->shared_count)], b);
        } else if (b->at == NULL) {
            *b = block_new(pick_size(&r), (uint32_t)rng_next(&r));
        } else {
            block_free(b);
        }
    }
    for (size_t i = 0; i < OWN; i++) {
        block_free(&own[i]);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "mixed", "");
    unsigned threads = g_bench.thread_count;
    size_t shared_count = (size_t)SHARED_PER_THREAD * threads;
    size_t steps = bench_scaled(STEPS, 1000) / ROUNDS / threads + 1;
    struct shared_slot *shared = bench_table(shared_count * sizeof *shared);
    struct task *tasks = bench_table(threads * sizeof *tasks);
    double start = bench_now();
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < threads; i++) {
            tasks[i] = (struct task){steps, shared_count, shared, rng_make(round * threads + i)};
        }
        bench_run_threads(threads, run_task, tasks, sizeof *tasks);
    }
    for (size_t i = 0; i < shared_count; i++) {
        block_free(&shared[i].block);
    }
    bench_result(steps * ROUNDS * threads, bench_now() - start);
    return 0;
}
