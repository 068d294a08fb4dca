/* samples.h - the sampled blocks, by address. For the holder of LOCK_PROFILE unless stated
 * otherwise. */
#ifndef PROFILE_SAMPLES_H
#define PROFILE_SAMPLES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sample {
    const void *ptr; // NULL: no sample
    size_t bytes;    // as requested
    double chance;   // that such a block is sampled
    uint32_t site;
};

#define SAMPLES_FILTER 65536U

struct samples_filter {
    _Atomic(uint8_t) counts[SAMPLES_FILTER]; // samples with this hash; sticks at 255
};
extern struct samples_filter g_samples_filter;

static inline size_t samples_hash(const void *ptr)
{
    return (size_t)(((uintptr_t)ptr >> 4) * 0x9e3779b97f4a7c15UL >> 48);
}

// Any thread. False: the block is not sampled.
static inline bool samples_may_hold(const void *ptr)
{
    return atomic_load_explicit(&g_samples_filter.counts[samples_hash(ptr)],
                                memory_order_relaxed) != 0;
}

// Adds a sample; false when out of memory, or if there are SAMPLES_MAX.
#define SAMPLES_MAX (1UL << 24)
bool samples_put(const struct sample *sample);
// The sample of a block; NULL: it has none. Valid until the next change.
struct sample *samples_find(const void *ptr);
void samples_drop(struct sample *sample);
// Removes all samples.
void samples_forget(void);
size_t samples_count(void);

#endif
