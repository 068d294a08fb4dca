/* rseq.h - in place of the header of that name: restartable sequences as the explorer sees
 * them. Each is one step, since the kernel lets a sequence commit only when nobody came between;
 * ahead of it any other thread may go on, and this one may have been moved.
 */
#ifndef CORE_RSEQ_H
#define CORE_RSEQ_H

#include "core/slot_data.h"

#include <string.h>

void explore_step(const volatile void *touched);

static inline struct slot *rseq_slot_now(const char *area)
{
    int32_t id = *(const volatile int32_t *)(const void *)(area + g_slots.id_offset);
    return (struct slot *)(void *)(g_slots.first + ((ptrdiff_t)id << SLOT_SHIFT)); // NOLINT
}

static inline struct slot *rseq_slot(const char *area)
{
    explore_step(&g_slots);
    return rseq_slot_now(area);
}

static inline void *rseq_pop_class(const char *area, unsigned sc)
{
    list_word *loaded = &rseq_slot(area)->loaded[sc + 1];
    list_word list = *loaded;
    if (list_is_empty(list) || !list_is_sound(list)) {
        return NULL;
    }
    *loaded = list_link(list_first(list));
    return list_first(list);
}

static inline bool rseq_push(const char *area, size_t bin, void *block)
{
    struct slot *slot = rseq_slot(area);
    uint16_t limit; // by a plain load, which is no step
    memcpy(&limit, (const char *)slot + offsetof(struct slot, limit) + bin * sizeof limit,
           sizeof limit);
    if ((uint16_t)slot->loaded[bin] >= limit) {
        return false;
    }
    slot->loaded[bin] = list_push(slot->loaded[bin], block);
    return true;
}

static inline bool rseq_exchange(const char *area, size_t at, list_word list, list_word *old)
{
    struct slot *slot = rseq_slot(area);
    list_word *word = (list_word *)(void *)((char *)slot + at);
    if (((const char *)slot)[offsetof(struct slot, is_open)] == 0) {
        return false;
    }
    *old = *word;
    *word = list;
    return true;
}

#endif
