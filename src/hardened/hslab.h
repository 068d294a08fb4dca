/* hslab.h - hardened slab: a span cut into slots of one class, with a record of each slot apart.
 *
 * Any thread. Free slots are zero throughout, and stand in the bits of their slab or lie in
 * some cache. The last page of a hardened slab is a guard page; so is every page of a hardened slab
 * of slots for blocks of no bytes.
 */
#ifndef HARDENED_HSLAB_H
#define HARDENED_HSLAB_H

#include "base/lock.h"
#include "core/size_class.h"
#include "pages/page_map.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HSLAB_EMPTY_CLASS MEDIUM_END // of blocks of no bytes
#define HSLAB_CLASSES     (MEDIUM_END + 1)
#define HSLAB_SLOTS_MAX   1024
#define HSLAB_SLACK_MAX   8191U // bytes of a slot behind its block, as far as a record can tell

// A record: whether a block is in use there, how many bytes of the slot lie behind it, and how
// often, modulo four, it was freed.
#define RECORD_USED       0x8000U
#define RECORD_FREES_STEP 0x2000U
#define RECORD_FREES      0x6000U

struct hslab {
    char *start;         // [const] while it is a slab; as all up to `first`
    uint64_t reciprocal; // see size_class.h
    uint32_t slot_bytes;
    uint32_t length; // chunks
    uint16_t sc;     // HSLAB_EMPTY_CLASS too
    uint16_t slots;  // those below `first` are never used
    uint16_t first;  // 1 where the slot before serves as a guard
    // [atomic] written under LOCK_HSLAB: those from here on were never used
    _Atomic(uint16_t) opened;
    uint16_t free_count;                 // [lock: LOCK_HSLAB] bits set
    bool is_listed;                      // [lock: LOCK_HSLAB]
    uint8_t guard;                       // [const] while it is a slab: enum protect_guard
    struct hslab *prev, *next;           // [lock: LOCK_HSLAB] slabs of the class with room
    uint64_t free[HSLAB_SLOTS_MAX / 64]; // [lock: LOCK_HSLAB] bit set: not in use, in no cache
    _Atomic(uint16_t) records[];         // [atomic] one a slot: written by who takes or frees it
};

// Of any entry of its span, all of which are HSLAB.
static inline struct hslab *hslab_of(const struct chunk *entry)
{
    return entry->record;
}

static inline size_t hslab_slot_bytes(unsigned sc)
{
    return sc == HSLAB_EMPTY_CLASS ? BLOCK_ALIGN_BYTES : size_class_bytes(sc);
}

static inline char *hslab_slot(const struct hslab *slab, unsigned slot)
{
    return slab->start + (size_t)slot * slab->slot_bytes;
}

// The slot that holds `ptr`, which lies in the slab.
static inline unsigned hslab_slot_of(const struct hslab *slab, const void *ptr)
{
    size_t offset = (size_t)((const char *)ptr - slab->start);
    return (unsigned)((offset * slab->reciprocal) >> 40);
}

// 0 when the slot was never used.
static inline unsigned hslab_record_at(const _Atomic(uint16_t) *record)
{
    // acquire: pairs with the release in hslab_set_record
    return atomic_load_explicit(record, memory_order_acquire);
}

static inline unsigned hslab_record(const struct hslab *slab, unsigned slot)
{
    return hslab_record_at(&slab->records[slot]);
}

// Bytes of the block that has, or last had, the slot.
static inline size_t hslab_bytes_in(const struct hslab *slab, unsigned record)
{
    return slab->sc == HSLAB_EMPTY_CLASS ? 0 : slab->slot_bytes - (record & HSLAB_SLACK_MAX);
}

static inline void hslab_set_record(struct hslab *slab, unsigned slot, unsigned record)
{
    // release: who sees a slot free sees it zero
    atomic_store_explicit(&slab->records[slot], (uint16_t)record, memory_order_release);
}

// A block begins in a free slot, of whose bytes `slack` lie behind it.
static inline void hslab_set_used(_Atomic(uint16_t) *record, size_t slack)
{
    unsigned frees = atomic_load_explicit(record, memory_order_relaxed) & RECORD_FREES;
    atomic_store_explicit(record, (uint16_t)(RECORD_USED | frees | slack), memory_order_release);
}

// It ends there; `record` is what stands there now. The slack is kept for messages.
static inline void hslab_set_free(_Atomic(uint16_t) *at, unsigned record)
{
    unsigned freed = (record + RECORD_FREES_STEP) & (RECORD_FREES | HSLAB_SLACK_MAX);
    // release: who sees a slot free sees it zero
    atomic_store_explicit(at, (uint16_t)freed, memory_order_release);
}

// A slot in one word: its address, and its number above the 48 bits of that. 0 is none.
static inline uint64_t hslab_word(const char *ptr, unsigned slot)
{
    return (uint64_t)slot << 48 | (uintptr_t)ptr;
}

static inline char *hslab_ptr_of_word(uint64_t word)
{
    return (char *)(uintptr_t)(word & ((1UL << 48) - 1)); // NOLINT: see hslab_word
}

static inline unsigned hslab_slot_of_word(uint64_t word)
{
    return (unsigned)(word >> 48);
}

static inline struct hslab *hslab_of_word(uint64_t word)
{
    return hslab_of(page_map_entry(page_map_find(hslab_ptr_of_word(word))));
}

// Up to `wanted` free slots of the class, chosen by `random`; how many.
unsigned hslab_allocate(unsigned sc, uint64_t *random, uint64_t *words, unsigned wanted);
// Puts free slots, zero throughout, back into their slabs.
void hslab_free(unsigned sc, const uint64_t *words, unsigned count, const void *caller);
// The slab that holds `ptr`, the slot of a block that others may have freed since; until
// hslab_let_go() its memory stays. NULL: it is gone.
struct hslab *hslab_hold(const char *ptr);
void hslab_let_go(struct hslab *slab);
// Gives empty slabs back; bytes. For malloc_trim.
size_t hslab_trim(const void *caller);

// Blocks in use, for counts; *slack_bytes: what of their slots lies behind them.
size_t hslab_live_count(const struct hslab *slab, size_t *slack_bytes);

void hslab_start(void);                    // once, before all else
void hslab_each_lock(lock_visitor *visit); // for a fork

#endif
