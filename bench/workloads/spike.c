/*
 * spike: 400 MiB once, then idle. Stands for: desktop programs and servers after one large document
 * or request. Blocks of 64 to 16,384 bytes; all but one in 500 are freed in random order; then the
 * program does nothing at all for a second. What counts is the RSS then: rss_after.
 * Live floor: 400 MiB at the top, 0.8 MiB while idle.
 */
#include "common.h"

#include <time.h>

enum { FULL_MIB = 400, SMALLEST_BYTES = 64, KEEP_ONE_IN = 500, NOTE_EVERY = 4096 };

static size_t free_most(struct block *blocks, const uint32_t *order, size_t count, size_t live)
{
    for (size_t i = 0; i < count; i++) {
        struct block *b = &blocks[order[i]];
        if (i % NOTE_EVERY == 0) {
            bench_note_live(live);
        }
        if (order[i] % KEEP_ONE_IN != 0) {
            live -= b->bytes;
            block_free(b);
        }
    }
    bench_note_live(live);
    return live;
}

static void idle(double seconds)
{
    struct timespec nap = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&nap, NULL);
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "spike", "");
    struct rng r = rng_make(0);
    size_t goal = bench_scaled(FULL_MIB, 4) * MIB;
    struct block *blocks = bench_table(goal / SMALLEST_BYTES * sizeof *blocks);
    uint32_t *order = bench_table(goal / SMALLEST_BYTES * sizeof *order);
    size_t count = 0;
    size_t live = 0;
    double start = bench_now();
    for (; live < goal; live += blocks[count++].bytes) {
        blocks[count] = block_new(rng_log_size(&r, SMALLEST_BYTES, 16384), (uint32_t)count);
        order[count] = (uint32_t)count;
        if (count % NOTE_EVERY == 0) {
            bench_note_live(live);
        }
    }
    rng_shuffle(&r, order, count);
    live = free_most(blocks, order, count, live);
    double seconds = bench_now() - start;
    bench_metric("rss_freed_kib", (double)bench_resident("Rss:") / KIB);
    idle(g_bench.scale < 1 ? 0.05 : 1);
    bench_note_live(live);
    bench_metric("live_after_kib", (double)live / KIB);
    bench_result(count, seconds);
    return 0;
}
