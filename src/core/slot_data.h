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

// A bin of a slot is its size class + 1, as in the bin table of the page map. Bin 0 stands for what
// is no slab: its limit stays 0, so that a free of it misses.
#define SLOT_BINS 96
static_assert(CLASSES < SLOT_BINS, "a bin each, and bin 0");

#define SLOT_SHIFT 11
#define SLOT_BYTES (1UL << SLOT_SHIFT)

typedef _Atomic(uint64_t) slot_count; // blocks of a bin handed out so far

struct ALIGNED(64) slot {
    list_word loaded[SLOT_BINS];        // [cpu] malloc pops from it and free pushes onto it
    list_word spare[SLOT_BINS];         // [cpu] a second magazine, full or empty
    _Atomic(uint16_t) limit[SLOT_BINS]; // [atomic] a hint: count up to which free may push
    _Atomic(uint8_t) early[SLOT_BINS];  // [atomic] frees that were checked so far
    _Atomic(bool) is_open;              // [atomic] false: the empty slot, or never used yet
    uint32_t frees;                     // [atomic] a hint: slow ones
    unsigned falls;                     // [atomic] fall_count() when it was last flushed
    uint32_t passing;                   // [atomic] a hint: frees that it will pass on to the depot
    _Atomic(slot_count *) handed;       // [atomic] NULL: blocks handed out are not counted
    struct slot *next;                  // [const] links all slots that threads own
    struct slot *next_unused;           // [lock: LOCK_SLOTS] links those without a thread
};
static_assert(sizeof(struct slot) <= SLOT_BYTES, "half a page a CPU");

// Reads a word of a slot, which others may change meanwhile.
static inline list_word slot_look(const list_word *word)
{
    return RELAXED_LOAD(*word);
}

// Writes a word of a slot. Only for its sole user: the thread that owns the slot, or one that keeps
// all others out.
static inline void slot_set(list_word *word, list_word list)
{
    RELAXED_STORE(*word, list);
}

#define RSEQ_CPU_ID_OFFSET 4  // in struct rseq; negative: not registered
#define RSEQ_CS_OFFSET     8  // descriptor of the running sequence
#define RSEQ_MM_CID_OFFSET 24 // since Linux 6.3
#define RSEQ_AREA_BYTES    32

struct slots {
    char *first;         // slot 0; preceded by the empty slot
    ptrdiff_t id_offset; // [const] after start-up: offset of the slot's number in the rseq area
};
extern HIDDEN struct slots g_slots;

#endif
