/*
 * arenas: arenas made of few large pieces, dropped after each query. Stands for: memory contexts of
 * databases, request pools of web servers, compilers with one arena for each function. An arena
 * begins with 8 KiB and doubles its pieces up to 1 MiB; four queries are open at a time.
 * Live floor: four arenas of 8 KiB to 4 MiB (0.9 MiB on average).
 */
#include "common.h"

enum { OPEN = 4, QUERIES = 60000, PIECES = 12, FIRST_KIB = 8, LARGEST_KIB = 1024 };

struct arena {
    struct block pieces[PIECES];
    size_t count;
};

static void drop_arena(struct arena *arena)
{
    while (arena->count > 0) {
        block_free(&arena->pieces[--arena->count]);
    }
}

static void fill_arena(struct arena *arena, size_t pieces, uint32_t tag)
{
    size_t kib = FIRST_KIB;
    for (arena->count = 0; arena->count < pieces; arena->count++) {
        arena->pieces[arena->count] = block_new(kib * KIB, tag);
        kib = kib < LARGEST_KIB ? 2 * kib : LARGEST_KIB;
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "arenas", "");
    struct rng r = rng_make(0);
    static struct arena arenas[OPEN];
    size_t queries = bench_scaled(QUERIES, 100);
    uint64_t operations = 0;
    double start = bench_now();
    for (size_t i = 0; i < queries; i++) {
        struct arena *arena = &arenas[rng_below(&r, OPEN)];
        drop_arena(arena);
        fill_arena(arena, 1 + rng_below(&r, 1 + rng_below(&r, PIECES - 1)), (uint32_t)i);
        operations += arena->count;
    }
    for (size_t i = 0; i < OPEN; i++) {
        drop_arena(&arenas[i]);
    }
    bench_result(operations, bench_now() - start);
    return 0;
}
