/*
 * reaper: a thread that only frees. Stands for: background deletion (databases, browsers, RCU),
 * destructors on a helper thread. In each round the main thread builds 64 MiB of blocks and a
 * thread that never allocates frees them, in random order.
 * Live floor: 64 MiB.
 */
#include "common.h"

enum { FULL_MIB = 64, ROUNDS = 16, SMALLEST_BYTES = 32 };

struct pile {
    struct block *blocks;
    uint32_t *order;
    size_t count;
};

static void build(struct pile *pile, size_t goal, struct rng *r)
{
    size_t count = 0;
    for (size_t bytes = 0; bytes < goal; bytes += pile->blocks[count++].bytes) {
        pile->blocks[count] = block_new(rng_log_size(r, SMALLEST_BYTES, 4096), (uint32_t)count);
        pile->order[count] = (uint32_t)count;
    }
    rng_shuffle(r, pile->order, count);
    pile->count = count;
}

static void reap(void *arg)
{
    const struct pile *pile = arg;
    for (size_t i = 0; i < pile->count; i++) {
        block_free(&pile->blocks[pile->order[i]]);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "reaper", "");
    struct rng r = rng_make(0);
    size_t goal = bench_scaled(FULL_MIB, 1) * MIB;
    size_t room = goal / SMALLEST_BYTES;
    struct pile pile = {bench_table(room * sizeof *pile.blocks),
                        bench_table(room * sizeof *pile.order), 0};
    uint64_t operations = 0;
    double start = bench_now();
    for (unsigned round = 0; round < ROUNDS; round++) {
        build(&pile, goal, &r);
        bench_run_threads(1, reap, &pile, sizeof pile);
        operations += pile.count;
    }
    bench_result(operations, bench_now() - start);
    return 0;
}
