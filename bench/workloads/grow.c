/*
 * grow: a heap that only grows, to 1 GiB, once. Stands for: loading a data set, in-memory databases
 * at start, batch programs that exit without freeing. Blocks of 32 to 4,096 bytes, then a check of
 * all of them; nothing is freed before the end of the measured part.
 * Live floor: 1 GiB.
 */
#include "common.h"

enum { FULL_MIB = 1024, MIN_MIB = 8, SMALLEST_BYTES = 32 };

int main(int argc, char **argv)
{
    bench_init(argc, argv, "grow", "");
    struct rng r = rng_make(0);
    size_t goal = bench_scaled(FULL_MIB, MIN_MIB) * MIB;
    struct block *blocks = bench_table(goal / SMALLEST_BYTES * sizeof *blocks);
    size_t count = 0;
    double start = bench_now();
    for (size_t bytes = 0; bytes < goal; bytes += blocks[count++].bytes) {
        blocks[count] = block_new(rng_log_size(&r, SMALLEST_BYTES, 4096), (uint32_t)count);
    }
    for (size_t i = 0; i < count; i++) {
        block_check(&blocks[i]);
    }
    double seconds = bench_now() - start;
    bench_result(count, seconds);
    return 0;
}
