/*
 * pairs: a buffer of one size, allocated, written to in two places and freed, again and again.
 * Stands for: read buffers, decoders, temporary arrays of numerical code. The variants are the
 * size: 16, 64, 256, 1024, 40000 and 200000 bytes.
 * Live floor: one buffer.
 */
#include "common.h"

#include <stdlib.h>

enum { PAIRS_SMALL = 60000000, PAIRS_LARGE = 4000000, SMALL = 1024 };

int main(int argc, char **argv)
{
    bench_init(argc, argv, "pairs", "40000 200000 16 64 256 1024");
    size_t bytes = strtoul(g_bench.variant, NULL, 10);
    size_t count = bench_scaled(bytes <= SMALL ? PAIRS_SMALL : PAIRS_LARGE, 1000);
    double start = bench_now();
    for (size_t i = 0; i < count; i++) {
        volatile unsigned char *at = malloc(bytes);
        if (at == NULL) {
            bench_fail("no memory for %zu bytes", bytes);
        }
        at[0] = (unsigned char)i;
        at[bytes - 1] = (unsigned char)(i + 1);
        if (at[0] != (unsigned char)i) {
            bench_fail("wrong contents at byte 0");
        }
        free((void *)(uintptr_t)at);
    }
    bench_result(count, bench_now() - start);
    return 0;
}
