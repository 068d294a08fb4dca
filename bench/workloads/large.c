/*
 * large: buffers of 5 to 25 MiB that come and go. Stands for: image and video tools, compressors,
 * numerical code. 20 places; each step replaces one buffer, writes one word per page of it.
 * Live floor: 20 buffers of 15 MiB on average: 300 MiB.
 */
#include "common.h"

enum { PLACES = 20, STEPS = 400 };

int main(int argc, char **argv)
{
    bench_init(argc, argv, "large", "");
    struct rng r = rng_make(0);
    struct block places[PLACES] = {{NULL, 0, 0}};
    size_t place_count = bench_scaled(PLACES, 2);
    place_count = place_count < PLACES ? place_count : PLACES;
    size_t steps = bench_scaled(STEPS, 10);
    double start = bench_now();
    for (size_t i = 0; i < steps; i++) {
        struct block *b = &places[rng_below(&r, place_count)];
        block_free(b);
        *b = block_new(rng_between(&r, 5 * MIB, 25 * MIB), (uint32_t)i);
    }
    for (size_t i = 0; i < PLACES; i++) {
        block_free(&places[i]);
    }
    bench_result(steps, bench_now() - start);
    return 0;
}
