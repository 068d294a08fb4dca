/*
 * spawn: threads that are created, allocate a little, and die. Stands for: std::async, one thread a
 * job, language runtimes at start. A third of a thread's blocks is left to the thread that waits
 * for it, which frees them.
 * Live floor: 65 blocks of 16 to 2,048 bytes a thread: 0.03 MB.
 */
#include "common.h"

enum { SPAWNS = 15000, BLOCKS = 65 };

struct job {
    struct block left[BLOCKS];
    uint64_t stream;
};

static void run_job(void *arg)
{
    struct job *job = arg;
    struct rng r = rng_make(job->stream);
    for (size_t i = 0; i < BLOCKS; i++) {
        job->left[i] = block_new(rng_log_size(&r, 16, 2048), (uint32_t)i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % 3 != 0) {
            block_free(&job->left[i]);
        }
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "spawn", "");
    unsigned threads = g_bench.thread_count;
    size_t waves = bench_scaled(SPAWNS, 10) / threads + 1;
    struct job *jobs = bench_table(threads * sizeof *jobs);
    double start = bench_now();
    for (size_t wave = 0; wave < waves; wave++) {
        for (unsigned i = 0; i < threads; i++) {
            jobs[i].stream = wave * threads + i;
        }
        bench_run_threads(threads, run_job, jobs, sizeof *jobs);
        for (size_t i = 0; i < (size_t)threads * BLOCKS; i++) {
            block_free(&jobs[i / BLOCKS].left[i % BLOCKS]);
        }
    }
    bench_result(waves * threads, bench_now() - start);
    return 0;
}
