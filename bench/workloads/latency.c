/*
 * latency: how long single calls take, not how many fit into a second. Stands for: games, audio,
 * trading, request handlers with deadlines. Each thread replaces random slots; sizes are mostly
 * small, one in 1,000 reaches 1 MiB; each malloc and each free is timed by itself, the clock's own
 * cost subtracted (its step may be 10 ns). The percentiles are of all threads together, the maximum
 * is the worst call. With more threads than processors the maximum shows the scheduler more than
 * the allocator. Live floor: 5,000 blocks, 700 bytes on average: 3.5 MB, split over the threads.
 */
#include "common.h"

#include <time.h>

// Buckets of a histogram: SUB for each doubling of nanoseconds, so a figure is exact to 1/SUB.
enum { SUB_BITS = 5, SUB = 1 << SUB_BITS, BUCKETS = 64 * SUB, SLOTS = 5000, STEPS = 4000000 };

struct histogram {
    uint64_t counts[BUCKETS];
    uint64_t max_ns;
};
struct task {
    struct histogram allocs, frees;
    size_t slots, steps;
    uint64_t stream, clock_ns;
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t clock_cost(void)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t start = clock_ns();
        uint64_t took = clock_ns() - start;
        least = took < least ? took : least;
    }
    return least;
}

static size_t bucket_of(uint64_t ns)
{
    if (ns < SUB) {
        return (size_t)ns;
    }
    unsigned shift = 63U - (unsigned)__builtin_clzll(ns) - SUB_BITS;
    return ((size_t)(shift + 1) << SUB_BITS) + (size_t)(ns >> shift) - SUB;
}

static uint64_t bucket_ns(size_t bucket) // the least time that falls into it
{
    size_t shift = bucket >> SUB_BITS;
    return shift == 0 ? bucket : (uint64_t)(SUB + bucket % SUB) << (shift - 1);
}

static void count_call(struct histogram *h, uint64_t ns, uint64_t overhead)
{
    ns = ns > overhead ? ns - overhead : 0;
    h->counts[bucket_of(ns)]++;
    h->max_ns = ns > h->max_ns ? ns : h->max_ns;
}

static void merge(struct histogram *into, const struct histogram *from)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        into->counts[i] += from->counts[i];
    }
    into->max_ns = from->max_ns > into->max_ns ? from->max_ns : into->max_ns;
}

static double percentile(const struct histogram *h, double share)
{
    uint64_t total = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        total += h->counts[i];
    }
    uint64_t seen = 0;
    size_t bucket = 0;
    for (; bucket < BUCKETS; bucket++) {
        seen += h->counts[bucket];
        if ((double)seen >= share * (double)total) {
            break;
        }
    }
    return (double)bucket_ns(bucket);
}

static void run_task(void *arg)
{
    struct task *task = arg;
    struct rng r = rng_make(task->stream);
    struct block *slots = bench_table(task->slots * sizeof *slots);
    for (size_t i = 0; i < task->steps; i++) {
        struct block *slot = &slots[rng_below(&r, task->slots)];
        size_t bytes =
            rng_below(&r, 1000) == 0 ? rng_log_size(&r, 16 * KIB, MIB) : rng_log_size(&r, 16, 4096);
        if (slot->at != NULL) {
            block_check(slot);
            uint64_t start = clock_ns();
            free(slot->at);
            count_call(&task->frees, clock_ns() - start, task->clock_ns);
        }
        uint64_t start = clock_ns();
        void *at = malloc(bytes);
        count_call(&task->allocs, clock_ns() - start, task->clock_ns);
        *slot = block_adopt(at, bytes, (uint32_t)i);
    }
    for (size_t i = 0; i < task->slots; i++) {
        block_free(&slots[i]);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "latency", "");
    unsigned threads = g_bench.thread_count;
    struct task *tasks = bench_table(threads * sizeof *tasks);
    for (unsigned i = 0; i < threads; i++) {
        tasks[i].slots = bench_scaled(SLOTS, 100) / threads + 1;
        tasks[i].steps = bench_scaled(STEPS, 1000) / threads + 1;
        tasks[i].stream = i;
        tasks[i].clock_ns = clock_cost();
    }
    double start = bench_now();
    bench_run_threads(threads, run_task, tasks, sizeof *tasks);
    double seconds = bench_now() - start;
    for (unsigned i = 1; i < threads; i++) {
        merge(&tasks[0].allocs, &tasks[i].allocs);
        merge(&tasks[0].frees, &tasks[i].frees);
    }
    bench_metric("malloc_p50_ns", percentile(&tasks[0].allocs, 0.5));
    bench_metric("malloc_p99_ns", percentile(&tasks[0].allocs, 0.99));
    bench_metric("malloc_p999_ns", percentile(&tasks[0].allocs, 0.999));
    bench_metric("malloc_max_ns", (double)tasks[0].allocs.max_ns);
    bench_metric("free_p50_ns", percentile(&tasks[0].frees, 0.5));
    bench_metric("free_p99_ns", percentile(&tasks[0].frees, 0.99));
    bench_metric("free_p999_ns", percentile(&tasks[0].frees, 0.999));
    bench_metric("free_max_ns", (double)tasks[0].frees.max_ns);
    bench_result(tasks[0].steps * threads, seconds);
    return 0;
}
