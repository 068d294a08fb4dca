/*
 * batches: many equal jobs, each of which allocates a batch of blocks and frees it. Stands for:
 * request handling, frames of a game, rows of a query. Variants: `fifo`, `lifo` and `random` free
 * 1,000 blocks in that order; `random20k` frees batches of 20,000 in random order (blocks have left
 * the caches by then); `set60k` replaces random blocks of a working set of 60,000.
 * Live floor: 1,000, 20,000 or 60,000 blocks of 16 to 512 bytes (145 on average): 0.15, 3 and 9 MB.
 */
#include "common.h"

enum {
    BLOCKS = 8000000,
    SET_STEPS = 3000000,
    SMALL_BATCH = 1000,
    LARGE_BATCH = 20000,
    WORKING_SET = 60000
};

static struct block make_block(struct rng *r)
{
    return block_new(rng_log_size(r, 16, 512), (uint32_t)rng_next(r));
}

static void order_batch(uint32_t *order, size_t count, struct rng *r)
{
    for (size_t i = 0; i < count; i++) {
        order[i] = (uint32_t)(bench_is_variant("lifo") ? count - 1 - i : i);
    }
    if (bench_is_variant("random") || bench_is_variant("random20k")) {
        rng_shuffle(r, order, count);
    }
}

static void run_batches(size_t block_count, size_t batch)
{
    struct rng r = rng_make(0);
    struct block *blocks = bench_table(batch * sizeof *blocks);
    uint32_t *order = bench_table(batch * sizeof *order);
    order_batch(order, batch, &r);
    for (size_t done = 0; done < block_count; done += batch) {
        for (size_t i = 0; i < batch; i++) {
            blocks[i] = make_block(&r);
        }
        for (size_t i = 0; i < batch; i++) {
            block_free(&blocks[order[i]]);
        }
    }
}

static void run_working_set(size_t block_count, size_t set_size)
{
    struct rng r = rng_make(0);
    struct block *blocks = bench_table(set_size * sizeof *blocks);
    for (size_t done = 0; done < block_count; done++) {
        struct block *b = &blocks[rng_below(&r, set_size)];
        block_free(b);
        *b = make_block(&r);
    }
    for (size_t i = 0; i < set_size; i++) {
        block_free(&blocks[i]);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "batches", "fifo lifo random random20k set60k");
    size_t block_count = bench_scaled(bench_is_variant("set60k") ? SET_STEPS : BLOCKS, SMALL_BATCH);
    double start = bench_now();
    if (bench_is_variant("set60k")) {
        run_working_set(block_count, bench_scaled(WORKING_SET, SMALL_BATCH));
    } else {
        run_batches(block_count, bench_is_variant("random20k") ? bench_scaled(LARGE_BATCH, 1000)
                                                               : (size_t)SMALL_BATCH);
    }
    bench_result(block_count, bench_now() - start);
    return 0;
}
