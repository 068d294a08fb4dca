/*
 * memory: what an allocator keeps, and what growing costs, for `make bench-memory`. These are
 * probes and no workloads: each makes one situation that real programs run into, as pure as can be,
 * and prints figures in its result line. Before each probe stands what it does.
 */
#include "probes.h"

#include <string.h>
#include <time.h>

#include "common.h"

static struct {
    size_t resident_before;
} g_memory;

void *memory_table(size_t bytes)
{
    void *at = bench_table(bytes);
    memset(at, 0, bytes);
    return at;
}

void memory_begin(void)
{
    g_memory.resident_before = bench_resident("Rss:");
}

size_t memory_resident(void)
{
    size_t now = bench_resident("Rss:");
    return now > g_memory.resident_before ? now - g_memory.resident_before : 0;
}

double memory_share(size_t part, size_t whole) // in percent
{
    return 100 * (double)part / (double)whole;
}

static void nap_ms(long ms)
{
    const struct timespec nap = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&nap, NULL);
}

void memory_nap(double seconds)
{
    nap_ms((long)(1000 * (g_bench.scale < 1 ? seconds / 20 : seconds)));
}

void memory_live_lightly(double seconds)
{
    struct block few[8] = {{NULL, 0, 0}};
    double end = bench_now() + (g_bench.scale < 1 ? seconds / 20 : seconds);
    for (uint32_t i = 0; bench_now() < end; i++) {
        struct block *b = &few[i % 8];
        block_free(b);
        *b = block_new(16 + i % 100, i);
        nap_ms(1);
    }
    for (size_t i = 0; i < 8; i++) {
        block_free(&few[i]);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} g_probes[] = {
    {"small", probe_small},       {"large", probe_large},
    {"breath", probe_breath},     {"hugebreath", probe_hugebreath},
    {"rises", probe_rises},       {"vectors", probe_vectors},
    {"drop", probe_drop},         {"threads", probe_threads},
    {"spawned", probe_spawned},   {"random2", probe_random2},
    {"random8", probe_random8},   {"burst", probe_burst},
    {"attack", probe_attack},     {"phases", probe_phases},
    {"refill", probe_refill},     {"refit", probe_refit},
    {"sleeper", probe_sleeper},   {"overwritten", probe_overwritten},
    {"freeonly", probe_freeonly}, {"growth", probe_growth},
    {"append4k", probe_append4k}, {"append16", probe_append16},
    {"pause", probe_pause},
};

int main(int argc, char **argv)
{
    bench_init(
        argc, argv, "memory",
        "small large breath hugebreath rises vectors drop threads spawned random2 random8 burst "
        "attack phases refill refit sleeper overwritten freeonly growth append4k append16 pause");
    double start = bench_now();
    for (size_t i = 0; i < sizeof g_probes / sizeof g_probes[0]; i++) {
        if (bench_is_variant(g_probes[i].name)) {
            g_probes[i].run();
        }
    }
    bench_result(1, bench_now() - start);
    return 0;
}
