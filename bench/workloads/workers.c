/*
 * workers: a pool of threads with blocks of 8 bytes to 16 KiB, one in four asked for as zeros,
 * freed by whoever comes to them. Stands for: thread pools of web and application servers, whose
 * requests pass from thread to thread. The threads share one table of places, each taken by an
 * exchange: most blocks are freed by another thread than the one that made them.
 * Live floor: 2,000 blocks a thread (1,500 bytes on average): 3 MB a thread.
 */
#include "common.h"

#include <stdatomic.h>

enum { PLACES = 2000, STEPS = 4000000, ZEROED_ONE_IN = 4, LARGEST = 16384 };

// What a place holds: a block that begins with its own size and tag.
struct head {
    uint32_t bytes, tag;
};

static struct {
    _Atomic(struct head *) *places;
    size_t count, steps;
} g_pool;

struct worker {
    struct rng rng;
};

static struct head *make(size_t bytes, uint32_t tag, bool is_zeroed)
{
    size_t all = bytes + sizeof(struct head);
    struct head *head = is_zeroed ? calloc(1, all) : malloc(all);
    if (head == NULL) {
        bench_fail("no memory for %zu bytes", all);
    }
    if (is_zeroed) {
        block_check_zero(head, all);
    }
    *head = (struct head){(uint32_t)bytes, tag};
    block_stamp(&(struct block){(unsigned char *)(head + 1), head->bytes, tag});
    return head;
}

static void drop(struct head *head)
{
    if (head != NULL) {
        block_check(&(struct block){(unsigned char *)(head + 1), head->bytes, head->tag});
        free(head);
    }
}

static void serve(void *arg)
{
    struct rng *r = &((struct worker *)arg)->rng;
    for (size_t i = 0; i < g_pool.steps; i++) {
        struct head *mine = make(rng_log_size(r, 8, LARGEST), (uint32_t)rng_next(r),
                                 rng_below(r, ZEROED_ONE_IN) == 0);
        // acquire and release: the contents of a block go with it from thread to thread
        drop(atomic_exchange_explicit(&g_pool.places[rng_below(r, g_pool.count)], mine,
                                      memory_order_acq_rel));
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "workers", "");
    g_pool.count = bench_scaled(PLACES, 100) * g_bench.thread_count;
    g_pool.steps = bench_scaled(STEPS, 1000) / g_bench.thread_count;
    g_pool.places = bench_table(g_pool.count * sizeof *g_pool.places);
    struct worker *workers = bench_table(g_bench.thread_count * sizeof *workers);
    for (unsigned i = 0; i < g_bench.thread_count; i++) {
        workers[i].rng = rng_make(i);
    }
    double start = bench_now();
    bench_run_threads(g_bench.thread_count, serve, workers, sizeof *workers);
    double seconds = bench_now() - start;
    for (size_t i = 0; i < g_pool.count; i++) {
        drop(g_pool.places[i]);
    }
    bench_result(g_pool.steps * g_bench.thread_count, seconds);
    return 0;
}
