/*
 * rebuild: phases that rebuild 300 MB. Stands for: interpreters that run one large script after the
 * other (php without its own allocator), compilers as servers. Each phase makes hash tables by
 * doubling, with a header, an array and small values for each; works on them for a while; and drops
 * all. An allocator that gives back all in between takes the same faults in each phase.
 * Live floor: 300 MB at the end of each phase.
 */
#include "common.h"

enum { TABLES = 3000, FIRST_ROOM = 8, VALUES = 1024, PHASES = 4, LOOKUPS = 4000000 };

struct hash {
    struct block header, array;
    struct block values[VALUES];
    size_t count;
};

static void grow_hash(struct hash *h, size_t count, struct rng *r)
{
    size_t room = FIRST_ROOM;
    h->header = block_new(56, (uint32_t)count);
    h->array = block_new(room * 32, (uint32_t)count);
    for (h->count = 0; h->count < count; h->count++) {
        if (h->count == room) {
            room *= 2;
            block_resize(&h->array, room * 32);
        }
        h->values[h->count] = block_new(rng_between(r, 24, 120), (uint32_t)h->count);
    }
}

static void drop_hash(struct hash *h)
{
    for (size_t i = 0; i < h->count; i++) {
        block_free(&h->values[i]);
    }
    block_free(&h->array);
    block_free(&h->header);
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "rebuild", "");
    struct rng r = rng_make(0);
    size_t table_count = bench_scaled(TABLES, 10);
    size_t lookups = bench_scaled(LOOKUPS, 1000);
    struct hash *tables = bench_table(table_count * sizeof *tables);
    uint64_t operations = 0;
    double start = bench_now();
    for (unsigned phase = 0; phase < PHASES; phase++) {
        for (size_t i = 0; i < table_count; i++) {
            grow_hash(&tables[i], rng_between(&r, VALUES / 2, VALUES), &r);
            operations += tables[i].count;
        }
        for (size_t i = 0; i < lookups; i++) {
            const struct hash *h = &tables[rng_below(&r, table_count)];
            block_check(&h->header);
            block_check(&h->values[rng_below(&r, h->count)]);
        }
        for (size_t i = 0; i < table_count; i++) {
            drop_hash(&tables[i]);
        }
    }
    bench_result(operations, bench_now() - start);
    return 0;
}
