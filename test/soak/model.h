/* model.h - blocks that a model knows, and random operations on them. */
#ifndef TEST_SOAK_MODEL_H
#define TEST_SOAK_MODEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SLOTS_PER_TABLE = 1024, SHARED_SLOTS = 256 };

/* One block in use: where, how long, and the seed of what stands in it. */
struct known {
    unsigned char *at; // NULL: nothing here
    size_t bytes;
    uint32_t seed;
};

/* The blocks of one thread at a time; a later thread goes on with the same table. */
struct table {
    struct known blocks[SLOTS_PER_TABLE];
    uint64_t random;
    uint64_t operations; // calls of the family
    uint64_t checked;    // blocks whose contents were compared
    uint64_t refused;    // requests that got NULL while failures were injected
};

/* What all threads see: blocks that change hands, and whether a failure may be expected. */
struct shared {
    struct {
        atomic_flag is_taken;
        struct known block;
    } slots[SHARED_SLOTS];
    atomic_ulong squeezes; // odd: the kernel is refusing memory now
    atomic_bool is_child;  // a forked child: the state of `squeezes` is stale
};

extern struct shared g_shared;

uint64_t model_random(uint64_t *state);

/* COUNT operations on the table, every call compared with the model. */
void model_run(struct table *table, uint64_t count);

/* All blocks are verified, and stay. */
void model_verify(struct table *table);

/* All threads stand still: every block intact, no two overlap, the statistics agree. The bytes. */
size_t model_audit(struct table *tables, size_t count);

#endif
