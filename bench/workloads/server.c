/*
 * server: a network server with worker threads that come and go. Stands for: thread-per-connection
 * servers, thread pools that recycle their threads. Each lane owns a table of requests; a worker
 * replaces random ones, then hands the whole table to a fresh worker and dies, so most blocks are
 * freed by another thread than the one that made them, and that one is gone.
 * Live floor: 4,000 blocks a thread of 16 to 1,024 bytes (280 on average): 1.1 MB a thread.
 */
#include "common.h"

#include <semaphore.h>

enum { SLOTS = 4000, STEPS = 12000000, GENERATIONS = 20 };

struct lane {
    struct block *slots;
    struct rng rng;
    size_t slot_count, steps_per_worker;
    unsigned generations_left;
};
static sem_t g_lanes_done;

static void *worker(void *arg)
{
    struct lane *lane = arg;
    for (size_t i = 0; i < lane->steps_per_worker; i++) {
        struct block *slot = &lane->slots[rng_below(&lane->rng, lane->slot_count)];
        block_free(slot);
        *slot = block_new(rng_log_size(&lane->rng, 16, 1024), (uint32_t)rng_next(&lane->rng));
    }
    if (--lane->generations_left > 0) {
        bench_detach(worker, lane);
    } else {
        sem_post(&g_lanes_done);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "server", "");
    size_t slot_count = bench_scaled(SLOTS, 100);
    size_t steps = bench_scaled(STEPS, 1000) / g_bench.thread_count / GENERATIONS + 1;
    struct lane *lanes = bench_table(g_bench.thread_count * sizeof *lanes);
    sem_init(&g_lanes_done, 0, 0);
    double start = bench_now();
    for (unsigned i = 0; i < g_bench.thread_count; i++) {
        lanes[i] = (struct lane){bench_table(slot_count * sizeof(struct block)), rng_make(i),
                                 slot_count, steps, GENERATIONS};
        bench_detach(worker, &lanes[i]);
    }
    for (unsigned i = 0; i < g_bench.thread_count; i++) {
        sem_wait(&g_lanes_done);
    }
    for (size_t i = 0; i < g_bench.thread_count * slot_count; i++) {
        block_free(&lanes[i / slot_count].slots[i % slot_count]);
    }
    bench_result(steps * GENERATIONS * g_bench.thread_count, bench_now() - start);
    return 0;
}
