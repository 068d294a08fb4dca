/*
 * vectors: arrays that grow by realloc. Stands for: string builders, std::vector, parsers that read
 * a file of unknown length, list append in interpreters. Several vectors grow in turn, so that none
 * has the end of the heap for itself: by half of their size (`geometric`) up to 4 MiB, or by 4 KiB
 * (`steps`) up to 1 MiB, or by 16 bytes (`bytes`) up to 64 KiB; then one in four is cut to an
 * eighth, and all are dropped.
 * Live floor: 16 vectors: at most 64, 16 and 1 MiB.
 */
#include "common.h"

enum { VECTORS = 16, START_BYTES = 64 };

struct growth {
    size_t limit;
    size_t rounds;
    size_t step; // bytes; 0: by half
};

static struct growth pick_growth(void)
{
    if (bench_is_variant("geometric")) {
        return (struct growth){4 * MIB, bench_scaled(20, 1), 0};
    }
    // Where every byte is checked at each step, the way to the full size would take seconds.
    size_t part = g_bench.check_all ? 8 : 1;
    return bench_is_variant("steps") ? (struct growth){MIB / part, bench_scaled(12, 1), 4 * KIB}
                                     : (struct growth){64 * KIB / part, bench_scaled(60, 1), 16};
}

static size_t grown(const struct growth *g, size_t bytes)
{
    size_t next = g->step == 0 ? bytes + bytes / 2 : bytes + g->step;
    return next < g->limit ? next : g->limit;
}

// One life of all vectors; returns the number of reallocs.
static size_t grow_all(const struct growth *g, struct rng *r)
{
    struct block vectors[VECTORS];
    size_t calls = 0;
    for (size_t i = 0; i < VECTORS; i++) {
        vectors[i] = block_new(START_BYTES + rng_below(r, START_BYTES), (uint32_t)i);
    }
    for (bool growing = true; growing;) {
        growing = false;
        for (size_t i = 0; i < VECTORS; i++) {
            if (vectors[i].bytes < g->limit) {
                block_resize(&vectors[i], grown(g, vectors[i].bytes));
                growing = true;
                calls++;
            }
        }
    }
    for (size_t i = 0; i < VECTORS; i += 4) {
        block_resize(&vectors[i], vectors[i].bytes / 8);
    }
    for (size_t i = 0; i < VECTORS; i++) {
        block_free(&vectors[i]);
    }
    return calls;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "vectors", "geometric steps bytes");
    struct growth growth = pick_growth();
    struct rng r = rng_make(0);
    size_t calls = 0;
    double start = bench_now();
    for (size_t round = 0; round < growth.rounds; round++) {
        calls += grow_all(&growth, &r);
    }
    bench_result(calls, bench_now() - start);
    return 0;
}
