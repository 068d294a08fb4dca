/* growth.c - growing by realloc, and the longest single call. */
#include "probes.h"

#include <string.h>
#include <time.h>

#include "common.h"

enum { GROWN_FROM = 64, APPENDED = 7, GIVE_UP_SECONDS = 5, LOOK_EVERY = 1024 };

// The growing alone, up to `goal` bytes or until it is given up; returns the block, its size in
// *grown. Growth by steps writes each step, as an append does; growth by half (step 0) touches
// nothing but the zeroed first bytes.
static char *grow_block(size_t goal, size_t step, size_t *grown)
{
    double end = bench_now() + GIVE_UP_SECONDS;
    char *at = calloc(1, GROWN_FROM);
    size_t bytes = GROWN_FROM;
    for (size_t i = 1; at != NULL && bytes < goal; i++) {
        size_t next = step == 0 ? bytes + bytes / 2 : bytes + step;
        next = next < goal ? next : goal;
        at = realloc(at, next);
        if (at != NULL && step != 0) {
            memset(at + bytes, APPENDED, next - bytes);
        }
        bytes = next;
        if (i % LOOK_EVERY == 0 && bench_now() > end) {
            break;
        }
    }
    if (at == NULL) {
        bench_fail("no memory to grow to %zu bytes", goal);
    }
    *grown = bytes;
    return at;
}

// An allocator that copies at every step would take minutes: 5000 ms mean "given up".
static void grow(size_t goal, size_t step)
{
    size_t grown;
    double start = bench_now();
    char *at = grow_block(goal, step, &grown);
    double seconds = grown < goal ? GIVE_UP_SECONDS : bench_now() - start;
    for (size_t i = 0; i < (step == 0 ? GROWN_FROM : grown); i++) {
        if (at[i] != (i < GROWN_FROM ? 0 : APPENDED)) {
            bench_fail("realloc lost byte %zu of %zu", i, grown);
        }
    }
    free(at);
    bench_metric("ms", seconds * 1e3);
}

// realloc by half of the size up to 256 MB of which nothing is touched: what a vector reserves.
void probe_growth(void)
{
    grow(bench_scaled(256, 1) * MIB, 0);
}

// 4 KiB after the other, up to 32 MB: a file read in blocks.
void probe_append4k(void)
{
    grow(bench_scaled(32, 1) * MIB, 4 * KIB);
}

// 16 bytes after the other, up to 2 MB: a string builder.
void probe_append16(void)
{
    grow(bench_scaled(2048, 64) * KIB, 16);
}

enum { PAUSE_TEETH = 4, PAUSE_TOP_BYTES = 100000000, PAUSE_KEEP_ONE_IN = 100 };

// Processor time of this thread: what the scheduler gives to others does not count.
static uint64_t thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t longer(uint64_t since, uint64_t longest)
{
    uint64_t took = thread_ns() - since;
    return took > longest ? took : longest;
}

// The saw-tooth again: the longest single call, in processor time.
void probe_pause(void)
{
    struct rng r = rng_make(0);
    size_t top_bytes = bench_scaled(PAUSE_TOP_BYTES, MIB);
    size_t count = top_bytes / 500;
    struct block *blocks = memory_table(count * sizeof *blocks);
    uint64_t longest_malloc = 0;
    uint64_t longest_free = 0;
    for (unsigned tooth = 0; tooth < PAUSE_TEETH; tooth++) {
        for (size_t i = 0; i < count; i++) {
            if (blocks[i].at == NULL) {
                size_t bytes = rng_log_size(&r, 32, 2048);
                uint64_t start = thread_ns();
                void *at = malloc(bytes);
                longest_malloc = longer(start, longest_malloc);
                blocks[i] = block_adopt(at, bytes, (uint32_t)i);
            }
        }
        for (size_t i = 0; i < count; i++) {
            if (i % PAUSE_KEEP_ONE_IN != tooth) {
                block_check(&blocks[i]);
                uint64_t start = thread_ns();
                free(blocks[i].at);
                longest_free = longer(start, longest_free);
                blocks[i].at = NULL;
            }
        }
    }
    bench_metric("malloc_us", (double)longest_malloc / 1e3);
    bench_metric("free_us", (double)longest_free / 1e3);
}
