/* hslab.h - hardened slab: a span cut into slots of one class, with separate records of the slots.
 *
 * Any thread. Free slots are all zero, and either set in the bitmap of their slab or in some cache.
 * The last page of a hardened slab is a guard page; in a slab for blocks of no bytes every page is.
 */
#ifndef HARDENED_HSLAB_H
#define HARDENED_HSLAB_H

#include "base/check.h"
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
#define HSLAB_SLACK_MAX   8191U // most bytes of a slot after its block that a record can hold

// A record: whether a block is in use in the slot, the bytes of the slot after it, and the number
// of frees modulo four.
#define RECORD_USED       0x8000U
#define RECORD_FREES_STEP 0x2000U
#define RECORD_FREES      0x6000U

struct hslab {
    char *start;         // [lock: LOCK_HSLAB] constant while it is a slab
    uint64_t reciprocal; // [const] like all fields up to `first`; see size_class.h
    uint32_t slot_bytes;
    uint32_t length;                     // chunks
    uint16_t sc;                         // or HSLAB_EMPTY_CLASS
    uint16_t slots;                      // those below `first` are not used
    uint16_t first;                      // 1 if the first slot serves as a guard
    uint16_t opened;                     // [lock: LOCK_HSLAB] slots from here on were never used
    uint16_t free_count;                 // [lock: LOCK_HSLAB] bits set
    bool is_listed;                      // [lock: LOCK_HSLAB]
    uint8_t guard;                       // [const] while it is a slab: enum protect_guard
    struct hslab *prev, *next;           // [lock: LOCK_HSLAB] slabs of the class with room
    uint64_t free[HSLAB_SLOTS_MAX / 64]; // [lock: LOCK_HSLAB] bit set: not in use, in no cache
    _Atomic(uint16_t) records[];         // [atomic] one per slot: written by malloc and free
};

// From any entry of its span, all of which are HSLAB. An observer, which holds nothing that keeps
// the span as it is, uses hslab_see() instead.
static inline struct hslab *hslab_of(const struct chunk *entry)
{
    return entry->record;
}

// For observers: NULL if the entry is not HSLAB. The slab may be closed meanwhile, and another be
// made of its structure: then `start`, read relaxed, and the records do not belong together.
struct hslab *hslab_see(const struct chunk *entry);

static inline size_t hslab_slot_bytes(unsigned sc)
{
    ASSERT(sc < HSLAB_CLASSES);
    return sc == HSLAB_EMPTY_CLASS ? BLOCK_ALIGN_BYTES : size_class_bytes(sc);
}

static inline char *hslab_slot(const struct hslab *slab, unsigned slot)
{
    ASSERT(slot < slab->slots);
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
    ASSERT(slot < slab->slots);
    return hslab_record_at(&slab->records[slot]);
}

// Bytes of the current or last block in the slot.
static inline size_t hslab_bytes_in(const struct hslab *slab, unsigned record)
{
    return slab->sc == HSLAB_EMPTY_CLASS ? 0 : slab->slot_bytes - (record & HSLAB_SLACK_MAX);
}

static inline void hslab_set_record(struct hslab *slab, unsigned slot, unsigned record)
{
    ASSERT(slot < slab->slots);
    // release: whoever sees the slot free sees it zeroed
    atomic_store_explicit(&slab->records[slot], (uint16_t)record, memory_order_release);
}

// Marks a free slot used; `slack` of its bytes lie after the block.
static inline void hslab_set_used(_Atomic(uint16_t) *record, size_t slack)
{
    ASSERT(slack <= HSLAB_SLACK_MAX);
    unsigned frees = atomic_load_explicit(record, memory_order_relaxed) & RECORD_FREES;
    atomic_store_explicit(record, (uint16_t)(RECORD_USED | frees | slack), memory_order_release);
}

// Marks the slot free; `record` is its current record. The slack is kept for messages.
static inline void hslab_set_free(_Atomic(uint16_t) *at, unsigned record)
{
    unsigned freed = (record + RECORD_FREES_STEP) & (RECORD_FREES | HSLAB_SLACK_MAX);
    // release: whoever sees the slot free sees it zeroed
    atomic_store_explicit(at, (uint16_t)freed, memory_order_release);
}

// A slot in one word: its address, and its number above those 48 bits. 0 is none.
static inline uint64_t hslab_word(const char *ptr, unsigned slot)
{
    ASSERT((uintptr_t)ptr >> 48 == 0);
    ASSERT(slot < HSLAB_SLOTS_MAX);
    return (uint64_t)slot << 48 | (uintptr_t)ptr;
}

static inline char *hslab_ptr_of_word(uint64_t word)
{
    return (char *)(uintptr_t)(word & ((1UL << 48) - 1)); // NOLINT: see hslab_word
}

static inline unsigned hslab_slot_of_word(uint64_t word)
{
    ASSERT(word != 0);
    return (unsigned)(word >> 48);
}

static inline struct hslab *hslab_of_word(uint64_t word)
{
    struct hslab *slab = hslab_of(page_map_entry(page_map_find(hslab_ptr_of_word(word))));
    ASSERT(hslab_slot(slab, hslab_slot_of_word(word)) == hslab_ptr_of_word(word));
    return slab;
}

// Allocates up to `wanted` free slots of the class, chosen by `random`; returns how many.
unsigned hslab_allocate(unsigned sc, uint64_t *random, uint64_t *words, unsigned wanted);
// Returns free slots, all zero, to their slabs.
void hslab_free(unsigned sc, const uint64_t *words, unsigned count, const void *caller);
// The slab that holds `ptr`, the slot of a block that others may have freed since; it is not
// released before hslab_let_go(). NULL: it is gone.
struct hslab *hslab_hold(const char *ptr);
void hslab_let_go(struct hslab *slab);
// Releases empty slabs; returns their bytes. For malloc_trim.
size_t hslab_trim(const void *caller);

// For observers, also without a lock: counts blocks in use; *slack_bytes: bytes of their slots that
// lie after them.
size_t hslab_live_count(const struct hslab *slab, size_t *slack_bytes);

void hslab_start(void);                    // once, before all else
void hslab_each_lock(lock_visitor *visit); // for a fork

#endif
