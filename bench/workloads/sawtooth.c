/*
 * sawtooth: a heap that fills to 100 MB and empties again, 20 times. Stands for: programs that work
 * in passes (compilers, batch jobs, garbage collectors over malloc). Giving memory back at every
 * bottom costs page faults at the next rise; never giving it back costs everyone else.
 * Live floor: 100 MB at the top, 1 MB at the bottom; blocks of 32 to 2,048 bytes.
 */
#include "common.h"

enum { TEETH = 20, TOP_BYTES = 100000000, SMALLEST_BYTES = 32, KEEP_ONE_IN = 100, NOTES = 20 };

static size_t rise(struct block *blocks, size_t top_bytes, struct rng *r, size_t *live)
{
    size_t count = 0;
    for (size_t noted = *live; *live < top_bytes; count++) {
        if (blocks[count].at == NULL) {
            blocks[count] = block_new(rng_log_size(r, SMALLEST_BYTES, 2048), (uint32_t)count);
            *live += blocks[count].bytes;
        }
        if (*live - noted > top_bytes / NOTES) {
            bench_note_live(noted = *live);
        }
    }
    return count;
}

static void fall(struct block *blocks, size_t count, unsigned tooth, size_t *live)
{
    for (size_t i = 0; i < count; i++) {
        if (blocks[i].at != NULL && i % KEEP_ONE_IN != tooth) {
            *live -= blocks[i].bytes;
            block_free(&blocks[i]);
        }
        if (i % (count / NOTES + 1) == 0) {
            bench_note_live(*live);
        }
    }
    bench_note_live(*live);
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "sawtooth", "");
    struct rng r = rng_make(0);
    size_t top_bytes = bench_scaled(TOP_BYTES, MIB);
    struct block *blocks = bench_table(top_bytes / SMALLEST_BYTES * sizeof *blocks);
    size_t live = 0;
    uint64_t operations = 0;
    double start = bench_now();
    for (unsigned tooth = 0; tooth < TEETH; tooth++) {
        size_t count = rise(blocks, top_bytes, &r, &live);
        fall(blocks, count, tooth, &live);
        operations += count;
    }
    double seconds = bench_now() - start;
    bench_metric("live_after_kib", (double)live / KIB);
    bench_result(operations, seconds);
    return 0;
}
