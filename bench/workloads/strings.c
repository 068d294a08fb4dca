/*
 * strings: an interpreter's strings and dictionaries. Stands for: Perl, Python, Ruby, shells,
 * template engines. A dictionary of keys with chained entries; steps look a key up, replace its
 * value by a longer string (concatenation makes a new block and frees the old ones), delete or
 * insert it. Every string is a block of its own.
 * Live floor: 60,000 entries of 40 bytes with a key of 10-40 and a value of 1-200 bytes: 8 MB.
 */
#include "common.h"

#include <string.h>

enum { KEYS = 60000, STEPS = 3000000, VALUE_LIMIT = 200 };

struct entry {
    struct entry *next;
    struct block key, value; // the key's tag is its number
};

static struct {
    struct entry **buckets;
    size_t bucket_count;
} g_table;

static struct entry **find(uint32_t number)
{
    struct entry **link = &g_table.buckets[number % g_table.bucket_count];
    while (*link != NULL && (*link)->key.tag != number) {
        link = &(*link)->next;
    }
    return link;
}

static void insert(struct entry **link, struct rng *r, uint32_t number)
{
    struct entry *e = malloc(sizeof *e);
    if (e == NULL) {
        bench_fail("no memory for an entry");
    }
    e->next = NULL;
    e->key = block_new(rng_between(r, 10, 40), number);
    e->value = block_new(rng_between(r, 1, 20), number + 1);
    *link = e;
}

static void delete_entry(struct entry **link)
{
    struct entry *e = *link;
    *link = e->next;
    block_free(&e->key);
    block_free(&e->value);
    free(e);
}

// value = value + piece, as interpreters do it: a temporary, a new string, both old ones freed.
static void append(struct entry *e, struct rng *r)
{
    struct block piece = block_new(rng_between(r, 1, 24), 7);
    struct block joined = block_new(e->value.bytes + piece.bytes, e->value.tag + 1);
    block_free(&piece);
    block_free(&e->value);
    e->value = joined;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "strings", "");
    struct rng r = rng_make(0);
    size_t keys = bench_scaled(KEYS, 100);
    size_t steps = bench_scaled(STEPS, 1000);
    g_table.bucket_count = keys;
    double start = bench_now();
    g_table.buckets = calloc(keys, sizeof(struct entry *));
    for (size_t i = 0; i < steps; i++) {
        uint32_t number = (uint32_t)rng_below(&r, keys);
        struct entry **link = find(number);
        if (*link == NULL) {
            insert(link, &r, number);
        } else if ((*link)->value.bytes > VALUE_LIMIT || rng_below(&r, 16) == 0) {
            delete_entry(link);
        } else {
            append(*link, &r);
        }
    }
    for (size_t i = 0; i < keys; i++) {
        while (g_table.buckets[i] != NULL) {
            delete_entry(&g_table.buckets[i]);
        }
    }
    free(g_table.buckets);
    bench_result(steps, bench_now() - start);
    return 0;
}
