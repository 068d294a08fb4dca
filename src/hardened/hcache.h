/* hcache.h - hardened mode: the per-CPU cache of free slots, and the content of free slots.
 *
 * For harden.c, and inline for the usual malloc and free of hardened.c. The caller holds the lock.
 * A check that fails only returns false: the long path checks again, and dies.
 */
#ifndef HARDENED_HCACHE_H
#define HARDENED_HCACHE_H

#include "hardened/canary.h"
#include "base/check.h"
#include "base/cpu.h"
#include "base/lock.h"
#include "core/slot.h"
#include "hardened/hslab.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HCACHE_READY_MAX 64U
#define HCACHES          64U  // more CPUs share them
#define LAST_BYTES       16U  // of the slot freed last, checked with each request
#define ENDS_BYTES       64UL // checked at both ends of a long slot before its reuse

struct ALIGNED(64) hcache_bin {
    uint64_t chosen;           // for the next request, see hslab_word; 0: none
    _Atomic(uint16_t) *record; // of the chosen slot
    uint64_t *ready;           // the others
    uint64_t *quarantine;      // a ring of freed slots; 0: none
    uint32_t slot_bytes;       // of the class
    uint16_t ready_count, ready_max;
    uint16_t quarantine_at, quarantine_max; // oldest in the ring; its length
};

struct hcache {
    struct lock lock;
    size_t mapped_bytes; // [const]
    uint64_t random;
    const char *last; // HARDEN-3, or zeros of our own
    char *newest;     // the slot handed out last, perhaps freed since; NULL: already checked
    struct hcache_bin bins[HSLAB_CLASSES];
    uint64_t words[]; // of all bins
};

extern HIDDEN _Atomic(struct hcache *) g_hcaches[HCACHES];

// The index of the cache that this thread tries first.
static inline size_t hcache_first_index(void)
{
    return ((uintptr_t)slot_hint() >> SLOT_SHIFT) % HCACHES;
}

// NULL: not created yet.
static inline struct hcache *hcache_at(size_t index)
{
    ASSERT(index < HCACHES);
    // acquire: pairs with the exchange in harden.c
    return atomic_load_explicit(&g_hcaches[index], memory_order_acquire);
}

// ---- ready slots and quarantine ----

// Chooses a random slot for the next request, and prefetches what that request will check.
static inline void hcache_choose(struct hcache *cache, struct hcache_bin *bin)
{
    unsigned count = bin->ready_count;
    ASSERT(count <= bin->ready_max);
    if (UNLIKELY(count == 0)) {
        bin->chosen = 0;
        return;
    }
    cache->random = cache->random * 6364136223846793005ULL + 1442695040888963407ULL; // Knuth
    uint64_t *word = &bin->ready[(cache->random >> 32) * count >> 32];
    bin->chosen = *word;
    *word = bin->ready[count - 1];
    bin->ready_count = (uint16_t)(count - 1);
    char *ptr = hslab_ptr_of_word(bin->chosen);
    __builtin_prefetch(ptr);
    __builtin_prefetch(ptr + bin->slot_bytes - CANARY_BYTES);
    bin->record = &hslab_of_word(bin->chosen)->records[hslab_slot_of_word(bin->chosen)];
    ASSERT((hslab_record_at(bin->record) & RECORD_USED) == 0); // HARDEN-1
    __builtin_prefetch(bin->record);
}

// Replaces the oldest slot in quarantine.
static inline void hcache_quarantine(struct hcache_bin *bin, uint64_t word)
{
    ASSERT(bin->quarantine_at < bin->quarantine_max);
    bin->quarantine[bin->quarantine_at] = word;
    bin->quarantine_at =
        bin->quarantine_at + 1 == bin->quarantine_max ? 0 : (uint16_t)(bin->quarantine_at + 1);
}

// ---- content of slots ----

// Before a slot is checked that was never used, as its record tells: reading a page first and then
// writing it costs two page faults, writing at once costs one.
static inline void slot_touch(char *ptr, size_t slot_bytes, unsigned record)
{
    if (UNLIKELY(record == 0)) {
        cpu_touch(&ptr[0]);
        cpu_touch(&ptr[slot_bytes - 1]);
    }
}

static inline canary_pair slot_pair(const char *at)
{
    return *(const canary_pair *)(const void *)at;
}

// ENDS_BYTES from `at` on.
static inline canary_pair slot_end_pairs(const char *at)
{
    return (slot_pair(at) | slot_pair(at + 16)) | (slot_pair(at + 32) | slot_pair(at + 48));
}

// Checks all of a small slot, ENDS_BYTES at both ends of a longer one.
static inline bool slot_is_zero_at_ends(const char *ptr, size_t slot_bytes)
{
    ASSERT(slot_bytes % sizeof(canary_pair) == 0);
    const char *last = ptr + slot_bytes - 16;
    canary_pair any;
    if (slot_bytes <= ENDS_BYTES) {
        size_t second = slot_bytes > 16 ? 16 : 0;
        any = (slot_pair(ptr) | slot_pair(ptr + second)) |
              (slot_pair(last) | slot_pair(last - second));
    } else {
        any = slot_end_pairs(ptr) | slot_end_pairs(ptr + slot_bytes - ENDS_BYTES);
        size_t end = slot_bytes <= SMALL_BYTES_MAX ? slot_bytes - ENDS_BYTES : 0;
        for (size_t at = ENDS_BYTES; at < end; at += ENDS_BYTES) {
            any |= slot_end_pairs(ptr + at);
        }
    }
    return (any[0] | any[1]) == 0;
}

static inline void slot_clear_pair(char *at)
{
    *(canary_pair *)(void *)at = (canary_pair){0, 0};
}

// Clears a small slot: as above up to 64 bytes, in steps of 64 beyond.
static inline void slot_clear_small(char *ptr, size_t slot_bytes)
{
    ASSERT(slot_bytes % sizeof(canary_pair) == 0);
    ASSERT(slot_bytes <= SMALL_BYTES_MAX);
    char *last = ptr + slot_bytes - 16;
    if (slot_bytes <= 64) {
        size_t second = slot_bytes > 16 ? 16 : 0;
        slot_clear_pair(ptr);
        slot_clear_pair(ptr + second);
        slot_clear_pair(last - second);
        slot_clear_pair(last);
        return;
    }
    for (; ptr < last - 48; ptr += 64) {
        slot_clear_pair(ptr);
        slot_clear_pair(ptr + 16);
        slot_clear_pair(ptr + 32);
        slot_clear_pair(ptr + 48);
    }
    slot_clear_pair(last - 48);
    slot_clear_pair(last - 32);
    slot_clear_pair(last - 16);
    slot_clear_pair(last);
}

// The word right before the block must be zero, or the canary of the previous slot. Others may be
// writing it.
RACY_READER static inline bool slot_is_whole_before(const char *ptr, size_t slot_bytes)
{
    uint64_t word = canary_load(ptr - 8);
    uint64_t canary = canary_word(ptr - slot_bytes);
    return LIKELY(word == 0) || LIKELY(word == canary) || LIKELY(word == canary_ended(canary));
}

#endif
