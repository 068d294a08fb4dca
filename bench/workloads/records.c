/*
 * records: small blocks of five sizes made together, then walked at random. Stands for: object
 * graphs of interpreters, rows of in-memory databases: what is made together is read together, so
 * that it should lie together. The measured time is mostly that of the walk: cache and TLB misses.
 * Live floor: 400,000 records of 24, 40, 64, 96 and 160 bytes: 154 MB.
 */
#include "common.h"

#include <string.h>

enum { RECORDS = 400000, WALKS = 6000000, PARTS = 5 };

static const uint32_t g_sizes[PARTS] = {40, 24, 64, 96, 160};

// Each part begins with the address of the next one.
struct part {
    struct part *next;
    uint64_t value;
};

static struct part *make_record(uint64_t value)
{
    struct part *first = NULL;
    for (size_t i = PARTS; i-- > 0;) {
        struct part *part = malloc(g_sizes[i]);
        if (part == NULL) {
            bench_fail("no memory for %u bytes", g_sizes[i]);
        }
        *part = (struct part){first, value};
        first = part;
    }
    return first;
}

static uint64_t walk(const struct part *part)
{
    uint64_t sum = 0;
    for (; part != NULL; part = part->next) {
        sum += part->value;
    }
    return sum;
}

static void drop(struct part *part)
{
    while (part != NULL) {
        struct part *next = part->next;
        free(part);
        part = next;
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "records", "");
    struct rng r = rng_make(0);
    size_t count = bench_scaled(RECORDS, 1000);
    size_t walks = bench_scaled(WALKS, 1000);
    struct part **records = bench_table(count * sizeof(struct part *));
    double start = bench_now();
    for (size_t i = 0; i < count; i++) {
        records[i] = make_record(i);
    }
    for (size_t i = 0; i < walks; i++) {
        size_t at = rng_below(&r, count);
        if (walk(records[at]) != PARTS * (uint64_t)at) {
            bench_fail("wrong contents in record %zu", at);
        }
        if (i % 8 == 0) { // an update: one record is made anew
            drop(records[at]);
            records[at] = make_record(at);
        }
    }
    for (size_t i = 0; i < count; i++) {
        drop(records[i]);
    }
    bench_result(walks, bench_now() - start);
    return 0;
}
