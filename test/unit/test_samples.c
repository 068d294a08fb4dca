/* test_samples.c - the table of sampled blocks, against one that keeps all in an array. */
#include "profile/samples.h"

#include "base/bits.h"

#include <criterion/criterion.h>

static char g_memory[1 << 20];

static struct sample sample_at(size_t block)
{
    return (struct sample){.ptr = g_memory + 16 * block, .bytes = block, .chance = 0.5, .site = 7};
}

/* SAMPLES-1: a hole that is not closed hides what stands behind it: its free would go unseen. */
Test(samples, are_found_while_others_come_and_go)
{
    enum { BLOCKS = 20000, STEPS = 400000 };
    static bool is_in[BLOCKS];
    size_t count = 0;
    uint64_t state = 42;
    for (int i = 0; i < STEPS; i++) {
        size_t block = xorshift_next(&state) % BLOCKS;
        struct sample sample = sample_at(block);
        struct sample *found = samples_find(sample.ptr);
        cr_assert_eq(found != NULL, is_in[block]);
        cr_assert(found == NULL || found->bytes == block);
        if (found != NULL) {
            cr_assert(samples_may_hold(sample.ptr));
            samples_drop(found);
        } else {
            cr_assert(samples_put(&sample));
        }
        is_in[block] = !is_in[block];
        count = is_in[block] ? count + 1 : count - 1;
        cr_assert_eq(samples_count(), count);
    }
    samples_forget();
    cr_assert_eq(samples_count(), 0);
    cr_assert_null(samples_find(g_memory));
    cr_assert(!samples_may_hold(g_memory));
}
