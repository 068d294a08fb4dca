/*
 * inbox: receivers that free 4,096 messages at once. Stands for: actors, event loops and loggers
 * that take a batch from a queue, work through it, and drop all of it. Threads go by pairs: the
 * sender allocates a batch while the receiver frees the one before.
 * Live floor: 4,096 messages of 32 to 1,024 bytes (290 on average) a pair: 1.2 MB.
 */
#include "common.h"

enum { BATCH = 4096, BATCHES = 1200 };

struct pair {
    struct block batches[2][BATCH]; // the one being filled, the one being freed
    pthread_barrier_t swap;
    size_t rounds;
};

struct side {
    struct pair *pair;
    bool sends;
    struct rng rng;
};

static void fill(struct block *batch, struct rng *r)
{
    for (size_t i = 0; i < BATCH; i++) {
        batch[i] = block_new(rng_log_size(r, 32, 1024), (uint32_t)i);
    }
}

static void drop(struct block *batch)
{
    for (size_t i = 0; i < BATCH; i++) {
        block_free(&batch[i]);
    }
}

static void take_part(void *arg)
{
    struct side *side = arg;
    struct pair *pair = side->pair;
    for (size_t i = 0; i <= pair->rounds; i++) {
        if (side->sends && i < pair->rounds) {
            fill(pair->batches[i % 2], &side->rng);
        } else if (!side->sends && i > 0) {
            drop(pair->batches[(i - 1) % 2]);
        }
        pthread_barrier_wait(&pair->swap);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "inbox", "");
    size_t pair_count = (g_bench.thread_count + 1) / 2;
    size_t rounds = bench_scaled(BATCHES, 4) / pair_count + 1;
    struct pair *pairs = bench_table(pair_count * sizeof *pairs);
    struct side *sides = bench_table(2 * pair_count * sizeof *sides);
    for (unsigned i = 0; i < 2 * pair_count; i++) {
        sides[i] = (struct side){&pairs[i / 2], i % 2 == 0, rng_make(i)};
    }
    for (size_t i = 0; i < pair_count; i++) {
        pairs[i].rounds = rounds;
        pthread_barrier_init(&pairs[i].swap, NULL, 2);
    }
    double start = bench_now();
    bench_run_threads((unsigned)(2 * pair_count), take_part, sides, sizeof *sides);
    bench_result(rounds * pair_count * BATCH, bench_now() - start);
    return 0;
}
