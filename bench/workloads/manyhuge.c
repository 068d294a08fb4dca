/*
 * manyhuge: many live blocks of 1.2 MB. Stands for: tile caches, in-memory stores of media, arrays
 * of matrices. Nothing but the first page is written; a registry whose search grows with the
 * number of such blocks, or a mapping for each, shows here.
 * Live floor: 20,000 blocks with one page written: 80 MB.
 */
#include "common.h"

enum { BLOCKS = 20000, STEPS = 60000, HUGE_BYTES = 1200000 };

static unsigned char *make(uint32_t tag)
{
    unsigned char *at = malloc(HUGE_BYTES);
    if (at == NULL) {
        bench_fail("no memory for %d bytes", HUGE_BYTES);
    }
    block_stamp(&(struct block){at, 64, tag});
    return at;
}

static void drop(unsigned char *at, uint32_t tag)
{
    block_check(&(struct block){at, 64, tag});
    free(at);
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "manyhuge", "");
    struct rng r = rng_make(0);
    size_t count = bench_scaled(BLOCKS, 100);
    size_t steps = bench_scaled(STEPS, 300);
    unsigned char **blocks = bench_table(count * sizeof(unsigned char *));
    double start = bench_now();
    for (size_t i = 0; i < count; i++) {
        blocks[i] = make((uint32_t)i);
    }
    for (size_t i = 0; i < steps; i++) {
        size_t at = rng_below(&r, count);
        drop(blocks[at], (uint32_t)at);
        blocks[at] = make((uint32_t)at);
    }
    for (size_t i = 0; i < count; i++) {
        drop(blocks[i], (uint32_t)i);
    }
    bench_result(count + steps, bench_now() - start);
    return 0;
}
