/* rack.h - hardened mode: a span cut into slots of one class, with a record of each slot apart.
 *
 * Any thread. Free slots are zero throughout, and stand in the bits of their rack or in some
 * stock. The last page of a rack is a guard page; so is every page of a rack of slots for
 * blocks of no bytes.
 */
#ifndef HARDENED_RACK_H
#define HARDENED_RACK_H

#include "base/lock.h"
#include "core/size_class.h"
#include "pages/page_map.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RACK_EMPTY_CLASS MEDIUM_END // of blocks of no bytes
#define RACK_CLASSES     (MEDIUM_END + 1)
#define RACK_SLOTS_MAX   1024
#define RACK_SLACK_MAX   8191U // bytes of a slot behind its block, as far as a record can tell

// A record: whether a block is in use there, how many bytes of the slot lie behind it, and how
// often, modulo four, it was freed.
#define RECORD_USED       0x8000U
#define RECORD_FREES_STEP 0x2000U
#define RECORD_FREES      0x6000U

struct rack {
    char *start;         // [const] while it is a rack; as all up to `first`
    uint64_t reciprocal; // see size_class.h
    uint32_t slot_bytes;
    uint32_t length; // chunks
    uint16_t class;  // RACK_EMPTY_CLASS too
    uint16_t slots;  // those below `first` are never used
    uint16_t first;  // 1 where the slot before serves as a fence
    _Atomic(uint16_t)
        opened; // [atomic] under LOCK_RACK, but for looks: those from here on were never used
    uint16_t free_count;                // [lock: LOCK_RACK] bits set
    bool is_listed;                     // [lock: LOCK_RACK]
    bool is_guarded;                    // [const] while it is a rack: its guard pages are hidden
    struct rack *prev, *next;           // [lock: LOCK_RACK] racks of the class with room
    uint64_t free[RACK_SLOTS_MAX / 64]; // [lock: LOCK_RACK] bit set: not in use, in no stock
    _Atomic(uint16_t) records[];        // [atomic] one a slot: written by who takes or frees it
};

// Of any entry of its span, all of which are RACK.
static inline struct rack *rack_of(const struct chunk *entry)
{
    return entry->record;
}

static inline size_t rack_slot_bytes(unsigned class)
{
    return class == RACK_EMPTY_CLASS ? BLOCK_ALIGN_BYTES : size_class_bytes(class);
}

static inline char *rack_slot(const struct rack *rack, unsigned slot)
{
    return rack->start + (size_t)slot * rack->slot_bytes;
}

// The slot that holds `ptr`, which lies in the rack.
static inline unsigned rack_slot_of(const struct rack *rack, const void *ptr)
{
    size_t offset = (size_t)((const char *)ptr - rack->start);
    return (unsigned)((offset * rack->reciprocal) >> 40);
}

// 0 when the slot was never used.
static inline unsigned rack_record_at(const _Atomic(uint16_t) *record)
{
    // acquire: pairs with the release in rack_set_record
    return atomic_load_explicit(record, memory_order_acquire);
}

static inline unsigned rack_record(const struct rack *rack, unsigned slot)
{
    return rack_record_at(&rack->records[slot]);
}

// Bytes of the block that has, or last had, the slot.
static inline size_t rack_bytes_in(const struct rack *rack, unsigned record)
{
    return rack->class == RACK_EMPTY_CLASS ? 0 : rack->slot_bytes - (record & RACK_SLACK_MAX);
}

static inline void rack_set_record(struct rack *rack, unsigned slot, unsigned record)
{
    // release: who sees a slot free sees it zero
    atomic_store_explicit(&rack->records[slot], (uint16_t)record, memory_order_release);
}

// A block begins in a free slot, of whose bytes `slack` lie behind it.
static inline void rack_set_used(_Atomic(uint16_t) *record, size_t slack)
{
    unsigned frees = atomic_load_explicit(record, memory_order_relaxed) & RECORD_FREES;
    atomic_store_explicit(record, (uint16_t)(RECORD_USED | frees | slack), memory_order_release);
}

// It ends there; `record` is what stands there now. The slack is kept for messages.
static inline void rack_set_free(_Atomic(uint16_t) *at, unsigned record)
{
    unsigned freed = (record + RECORD_FREES_STEP) & (RECORD_FREES | RACK_SLACK_MAX);
    // release: who sees a slot free sees it zero
    atomic_store_explicit(at, (uint16_t)freed, memory_order_release);
}

// A slot in one word: its address, and its number above the 48 bits of that. 0 is none.
static inline uint64_t rack_word(const char *ptr, unsigned slot)
{
    return (uint64_t)slot << 48 | (uintptr_t)ptr;
}

static inline char *rack_ptr_of_word(uint64_t word)
{
    return (char *)(uintptr_t)(word & ((1UL << 48) - 1)); // NOLINT: see rack_word
}

static inline unsigned rack_slot_of_word(uint64_t word)
{
    return (unsigned)(word >> 48);
}

static inline struct rack *rack_of_word(uint64_t word)
{
    return rack_of(page_map_entry(page_map_find(rack_ptr_of_word(word))));
}

// Up to `wanted` free slots of the class, chosen by `random`; how many.
unsigned rack_take(unsigned class, uint64_t *random, uint64_t *words, unsigned wanted);
// Puts free slots, zero throughout, back into their racks.
void rack_give(unsigned class, const uint64_t *words, unsigned count, const void *caller);
// Gives empty racks back; bytes. For malloc_trim.
size_t rack_trim(const void *caller);

// Blocks in use, for counts; *slack_bytes: what of their slots lies behind them.
size_t rack_live_count(const struct rack *rack, size_t *slack_bytes);

void rack_start(void);                    // once, before all else
void rack_each_lock(lock_visitor *visit); // for a fork

#endif
