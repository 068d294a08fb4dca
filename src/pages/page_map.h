/* page_map.h - address -> what stands there: one entry of 64 bytes per chunk of the region.
 *
 * The map covers a window of addresses from `base` on. Index 0 is never used, so that 0 can end a
 * list. `chunks` is what of the window may be looked up; entries never used are all zero, which
 * is CHUNK_NONE: gaps of foreign memory need no marks.
 *
 * An entry is written by the owner of its chunk alone: the heap for a small slab, the holder of
 * the class's lock for a medium slab, the holder of LOCK_PAGE_HEAP for free spans and large blocks.
 */
#ifndef PAGES_PAGE_MAP_H
#define PAGES_PAGE_MAP_H

#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum chunk_state {
    CHUNK_NONE,    // not ours: never used, foreign, or given back with the break
    CHUNK_FREE,    // first or last chunk of a free span
    CHUNK_ACTIVE,  // small slab, being allocated from
    CHUNK_PARTIAL, // small slab with some or all blocks free, on a list of its heap
    CHUNK_FULL,    // small slab, asleep until enough blocks came back
    CHUNK_POOLED,  // small slab without an owner, in the pool of its class
    CHUNK_MEDIUM,  // first chunk of a medium slab
    CHUNK_LARGE,   // first chunk of a large block
    CHUNK_BASIN,   // first chunk of a tray: memory of a pool of include/myalloc.h
    CHUNK_RACK,    // first chunk of slots, in hardened mode
    CHUNK_FENCE,   // first chunk of a large block between guard pages, in hardened mode
    CHUNK_BODY,    // a further chunk of a medium slab, large block or tray: see head_distance
};

struct heap;

struct ALIGNED(64) chunk {
    _Atomic(struct heap *) owner; // [atomic] heap of a small slab; NULL for all else
    void *free;                   // [owner] small: blocks that came back, linked; see slab.h
                                  // RACK: its structure; FENCE: its block
    uint32_t left;                // [owner] small: local frees until the next event
    uint32_t armed;               // [owner] small: what `left` was set to
    uint16_t listed;              // [owner] small: blocks on `free` when `left` was set
                                  // [lock: LOCK_MEDIUM] medium: blocks in the mask
    uint16_t carved;              // [owner] blocks in circulation: made, and not purged again
    _Atomic(uint8_t) state;       // [atomic] enum chunk_state
    uint8_t class;                // [owner] size class of a slab
    uint8_t purged;               // [owner] small: bit p set = page p was purged, carve it anew
    uint8_t looked_at;   // [owner] thin.c: small: blocks in use when it last looked; 0 never
    uint32_t prev, next; // [owner] links of the list this slab or span is on; 0 ends
    union {
        uint32_t head_distance;    // [owner] BODY: chunks back to the first one
        _Atomic(uint32_t) reached; // [atomic] small: blocks from here on were never carved
    };
    uint32_t length; // [owner] chunks of the span; FREE: also in the last entry
    union {
        uint64_t mask;       // [lock: LOCK_MEDIUM] medium: bit set = free and in no magazine
        size_t usable_bytes; // [owner] large, fence; afterwards: of the block that was here
    };
};
static_assert(sizeof(struct chunk) == CACHE_LINE_BYTES, "one line an entry");
static_assert(offsetof(struct chunk, owner) == 0, "fast path");

// Who holds a medium block: one byte for each KiB of a medium slab, which is less than any medium
// block, so that a byte tells of the block that begins there. Plain stores, by the user's malloc
// and free: on its way through magazines and masks a free block is not touched. Above these three
// bits stands where in the KiB it begins, in units of 128 bytes.
enum medium_hold {
    HOLD_NONE,   // no block begins here
    HOLD_USER,   // in the user's hands
    HOLD_FREE,   // in a magazine or in the mask
    HOLD_FRESH,  // there too, and zero: never given out
    HOLD_PURGED, // in the mask, its whole pages given back since it was last in use
};
#define HOLD_SHIFT      10 // one byte a KiB
#define HOLD_UNIT_SHIFT 7  // medium blocks begin at multiples of 128 bytes

// Per chunk, apart from the entry because other threads write it: touched by remote frees and
// medium slabs only.
struct ALIGNED(64) remote {
    union {
        uint64_t bits[SMALL_BLOCKS_MAX / 64];              // [lock: LOCK_MAIL] small: came home
        _Atomic(uint8_t) holds[CHUNK_BYTES >> HOLD_SHIFT]; // [atomic] medium: see medium_hold
    };
    _Atomic(uint32_t) count;       // [atomic] small: bits set; changed under LOCK_MAIL
    uint32_t mail_prev, mail_next; // [lock: LOCK_MAIL] links of the owner's mail; 0 ends
    bool posted;                   // [lock: LOCK_MAIL] on the owner's mail
};
static_assert(sizeof(struct remote) == 3 * CACHE_LINE_BYTES, "the bitmap and one line");

// Read on every free: kept together, apart from what changes often.
struct page_map {
    uintptr_t base;         // [const] address of chunk 0
    _Atomic(size_t) chunks; // [atomic] indices below may be looked up
    struct chunk *entries;  // [const]
    struct remote *remotes; // [const]
    uint64_t *dirty;        // [lock: LOCK_PAGE_HEAP] bit set: chunk is free and may be resident
    size_t opened;          // [lock: LOCK_PAGE_HEAP] chunks whose tables are there
};
extern HIDDEN struct page_map g_page_map;

// Starts the tables of a map that begins at `base`; false without memory.
bool page_map_start(uintptr_t base);
// Makes the tables of the chunks below `chunks` usable; false without memory.
bool page_map_open(size_t chunks);
// Tells a new live page where the tables are.
void page_map_show(void);

// Purges what the tables hold of chunks that are NONE: whole pages become zero.
void page_map_forget(size_t index, size_t length);

static inline size_t page_map_count(void)
{
    // acquire: pairs with the release in page_map_publish
    return atomic_load_explicit(&g_page_map.chunks, memory_order_acquire);
}

// No entry for this index may be looked up. The instruction is the relaxed load and the comparison
// in one, which compilers do not join; free is counted in instructions. Relaxed is enough for free:
// a block that reached its user was published before; see page_map_publish.
static inline bool page_map_is_beyond(size_t index)
{
    bool is_beyond;
    __asm__("cmpq %[chunks], %[index]"
            : "=@ccae"(is_beyond)
            : [index] "r"(index), [chunks] "m"(g_page_map.chunks));
    return is_beyond;
}

static inline void page_map_publish(size_t chunks)
{
    // release: pairs with the acquire in page_map_count
    atomic_store_explicit(&g_page_map.chunks, chunks, memory_order_release);
}

static inline struct chunk *page_map_entry(size_t index)
{
    return &g_page_map.entries[index];
}

static inline struct remote *page_map_remote(size_t index)
{
    return &g_page_map.remotes[index];
}

static inline uint32_t page_map_index(const struct chunk *entry)
{
    return (uint32_t)(entry - g_page_map.entries);
}

static inline void *page_map_address(size_t index)
{
    return (void *)(g_page_map.base + (index << CHUNK_SHIFT)); // NOLINT: the map's purpose
}

// The index of the chunk of `ptr`, 0 when it is not in the window: never dereferences it.
static inline size_t page_map_find(const void *ptr)
{
    size_t index = ((uintptr_t)ptr - g_page_map.base) >> CHUNK_SHIFT;
    return index < page_map_count() ? index : 0;
}

// True when a chunk is free and may be resident. Under LOCK_PAGE_HEAP.
static inline bool page_map_is_dirty(size_t index)
{
    return ((g_page_map.dirty[index / 64] >> (index % 64)) & 1) != 0;
}

static inline enum chunk_state chunk_state(const struct chunk *entry)
{
    return (enum chunk_state)atomic_load_explicit(&entry->state, memory_order_relaxed);
}

static inline void chunk_set_state(struct chunk *entry, enum chunk_state state)
{
    atomic_store_explicit(&entry->state, (uint8_t)state, memory_order_relaxed);
}

static inline struct heap *chunk_owner(const struct chunk *entry)
{
    return atomic_load_explicit(&entry->owner, memory_order_relaxed);
}

static inline void chunk_set_owner(struct chunk *entry, struct heap *owner)
{
    atomic_store_explicit(&entry->owner, owner, memory_order_relaxed);
}

static inline bool chunk_is_small(const struct chunk *entry)
{
    enum chunk_state state = chunk_state(entry);
    return state >= CHUNK_ACTIVE && state <= CHUNK_POOLED;
}

// The first entry of the slab or block that `entry` is a part of.
static inline struct chunk *chunk_head(struct chunk *entry)
{
    return chunk_state(entry) == CHUNK_BODY ? entry - entry->head_distance : entry;
}

// Marks all chunks of a span but the first as its body, of the same class.
void page_map_mark_body(struct chunk *head, size_t length);

#endif
