/*
 * zeroed: mostly calloc. Stands for: C programs that calloc every structure, matrices, hash tables.
 * A table of slots of which a random one is replaced at each step: small structures, some arrays of
 * up to 64 KiB, one in 1,000 of up to 4 MiB; every block must read as zero and is dirtied then.
 * Live floor: 2,000 blocks, 3 KiB on average: 6 MB.
 */
#include "common.h"

enum { SLOTS = 2000, STEPS = 3000000 };

static size_t pick_size(struct rng *r)
{
    size_t die = rng_below(r, 1000);
    if (die == 0) {
        return rng_log_size(r, 65536, 4 * MIB);
    }
    return die < 50 ? rng_log_size(r, 1024, 65536) : rng_log_size(r, 16, 1024);
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "zeroed", "");
    struct rng r = rng_make(0);
    size_t slot_count = bench_scaled(SLOTS, 100);
    size_t steps = bench_scaled(STEPS, 1000);
    struct block *slots = bench_table(slot_count * sizeof *slots);
    double start = bench_now();
    for (size_t i = 0; i < steps; i++) {
        struct block *slot = &slots[rng_below(&r, slot_count)];
        size_t bytes = pick_size(&r);
        block_free(slot);
        void *at = calloc(1, bytes);
        if (at != NULL) {
            block_check_zero(at, bytes);
        }
        *slot = block_adopt(at, bytes, (uint32_t)i);
    }
    for (size_t i = 0; i < slot_count; i++) {
        block_free(&slots[i]);
    }
    bench_result(steps, bench_now() - start);
    return 0;
}
