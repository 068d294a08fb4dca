/* slot_data.h - struct slot, one CPU's caches, and the table of them. slot.c owns both. */
#ifndef CORE_SLOT_DATA_H
#define CORE_SLOT_DATA_H

#include "base/compiler.h"
#include "base/config.h"
#include "core/list.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A bin of a slot: size class + 1, as in the class table of the page map. Bin 0 is of what is no
// slab: it has no limit, so that a free of it misses.
#define SLOT_BINS 96
static_assert(CLASSES < SLOT_BINS, "a bin each, and bin 0");

#define SLOT_SHIFT 11
#define SLOT_BYTES (1UL << SLOT_SHIFT)

typedef _Atomic(uint64_t) slot_count; // blocks of a bin given out so far

struct ALIGNED(64) slot {
    list_word loaded[SLOT_BINS];        // [cpu] malloc takes from it and free puts into it
    list_word spare[SLOT_BINS];         // [cpu] a second magazine, full or empty
    _Atomic(uint16_t) limit[SLOT_BINS]; // [atomic] a hint: count that `loaded` may reach by free
    _Atomic(uint8_t) early[SLOT_BINS];  // [atomic] frees that were looked at so far
    _Atomic(bool) is_open;              // [atomic] false: the empty slot, or never used yet
    _Atomic(slot_count *) handed;       // [atomic] NULL: nobody counts what is given out
    struct slot *next;                  // [const] of slots that threads own: all of them
    struct slot *next_unused;           // [lock: LOCK_SLOTS] those without a thread
};
static_assert(sizeof(struct slot) <= SLOT_BYTES, "half a page a CPU");

// A word of a slot, which others may look at or change meanwhile.
static inline list_word slot_look(const list_word *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

// By its one user only: a thread that owns the slot, or who keeps all others out.
static inline void slot_set(list_word *word, list_word list)
{
    __atomic_store_n(word, list, __ATOMIC_RELAXED);
}

#define RSEQ_CPU_ID_OFFSET 4  // in struct rseq; negative: not registered
#define RSEQ_CS_OFFSET     8  // the descriptor of the sequence that runs
#define RSEQ_MM_CID_OFFSET 24 // since Linux 6.3
#define RSEQ_AREA_BYTES    32

struct slots {
    char *first;         // slot 0; the empty slot stands before it
    ptrdiff_t id_offset; // [const] after the start: where in the rseq area the slot's number stands
};
extern HIDDEN struct slots g_slots;

#endif
