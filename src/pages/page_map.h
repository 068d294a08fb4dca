/* page_map.h - maps an address to its chunk: one entry of 64 bytes per chunk of the region.
 *
 * The map covers a window of addresses from `base` on. Index 0 is never used, so that 0 can end a
 * list. Indices below `chunks` may be looked up; entries never used are all zero, which is
 * CHUNK_NONE, so gaps of foreign memory need no marks.
 *
 * An entry is written by the owner of its chunk alone: the holder of the lock of the class for a
 * slab, the holder of LOCK_PAGE_HEAP for free spans, the caller for a large block.
 *
 * A second table has one byte per chunk: the bin of the slab there, which is its size class + 1, or
 * 0. It is all of the map that the fast path of free reads: 64 KiB for a GiB of heap.
 */
#ifndef PAGES_PAGE_MAP_H
#define PAGES_PAGE_MAP_H

#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/cpu.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum chunk_state {
    CHUNK_NONE,    // not ours: never used, foreign, or released with the break
    CHUNK_FREE,    // first or last chunk of a free span
    CHUNK_SLAB,    // first chunk of a slab
    CHUNK_LARGE,   // first chunk of a large block
    CHUNK_PLACED,  // first chunk of a smaller block in a span of its own: its free must miss
    CHUNK_POOL,    // first chunk of a pool chunk: memory of a pool of include/myalloc.h
    CHUNK_HSLAB,   // first chunk of slots, in hardened mode
    CHUNK_GUARDED, // first chunk of a large block between guard pages, in hardened mode
    CHUNK_BODY,    // a further chunk of a slab, large block or pool chunk: see head_distance
};

struct ALIGNED(64) chunk {
    union {
        uint64_t free; // [lock: LOCK_DEPOT] slab: its free list; see list.h
        void *record;  // [owner] HSLAB: its structure; GUARDED: its block
    };
    size_t usable_bytes; // [owner] large, guarded; after a free: of the former block
    uint32_t prev, next; // [owner] links of the list this slab or span is on; 0 ends it
    uint32_t length;     // [owner] chunks of the span; FREE: also in the last entry
    union {
        uint32_t head_distance;    // [owner] BODY: chunks back to the first one
        _Atomic(uint32_t) reached; // [atomic] slab: blocks from here on were never carved
    };
    union {
        uint32_t purged;      // [lock: LOCK_DEPOT] slab: bit p set: page p was purged, carve again
        uint32_t shown_pages; // [owner] GUARDED: accessible pages of the block
    };
    uint16_t carved;        // [lock: LOCK_DEPOT] slab: blocks carved and not purged since
    _Atomic(uint8_t) state; // [atomic] enum chunk_state
    uint8_t sc;             // [owner] size class of a slab
    uint8_t looked_at;      // [lock: LOCK_DEPOT] slab: blocks out when last purged; 0 never
    union {
        bool is_clean; // [lock: LOCK_DEPOT] slab: memory never carved is zero
        uint8_t guard; // [owner] GUARDED: enum protect_guard of its guard pages
    };
};
static_assert(sizeof(struct chunk) == CACHE_LINE_BYTES, "one line an entry");

// Read on every free: kept together, away from data that changes often.
struct page_map {
    uintptr_t base;         // [const] address of chunk 0
    _Atomic(size_t) chunks; // [atomic] indices below may be looked up
    uint8_t *bins;          // [const] size class + 1 of a slab, else 0: written by slab.c
    struct chunk *entries;  // [const]
    uint64_t *dirty;        // [lock: LOCK_PAGE_HEAP] bit set: chunk is free and may be resident
    uint64_t *units;        // [lock: LOCK_PAGE_HEAP] bit set: the unit may be a huge page
    size_t opened;          // [lock: LOCK_PAGE_HEAP] chunks whose tables are mapped
};
extern HIDDEN struct page_map g_page_map;

// Starts the tables of a map that begins at `base`; false: out of memory.
bool page_map_start(uintptr_t base);
// Maps the tables for the chunks below `chunks`; false: they cannot grow.
bool page_map_open(size_t chunks);
// True if page_map_open last failed because of a foreign mapping behind a table, although there is
// memory: then blocks of all sizes need mappings of their own.
bool page_map_is_walled(void);
// Adds the tables to a new live page.
void page_map_show(void);

// Makes chunks NONE that are released; the entries of many are purged, not written.
void page_map_forget(size_t index, size_t length);

static inline size_t page_map_count(void)
{
    // acquire: pairs with the release in page_map_publish
    return atomic_load_explicit(&g_page_map.chunks, memory_order_acquire);
}

// True if this index must not be looked up. Relaxed is enough for free: a block that reached its
// user was published before; see page_map_publish.
static inline bool page_map_is_beyond(size_t index)
{
    return cpu_reaches(index, &g_page_map.chunks);
}

static inline void page_map_publish(size_t chunks)
{
    ASSERT(chunks != 0);                 // index 0 is never used
    ASSERT(chunks <= g_page_map.opened); // MAP-1
    // release: pairs with the acquire in page_map_count
    atomic_store_explicit(&g_page_map.chunks, chunks, memory_order_release);
}

static inline struct chunk *page_map_entry(size_t index)
{
    ASSERT(index <= UINT32_MAX); // links are 32 bits wide
    return &g_page_map.entries[index];
}

static inline uint32_t page_map_index(const struct chunk *entry)
{
    ASSERT(entry > g_page_map.entries);
    return (uint32_t)(entry - g_page_map.entries);
}

static inline void *page_map_address(size_t index)
{
    ASSERT(index <= UINT32_MAX);
    return (void *)(g_page_map.base + (index << CHUNK_SHIFT)); // NOLINT: the map's purpose
}

// The index of the chunk of `ptr`, which is never dereferenced; 0: not in the window.
static inline size_t page_map_find(const void *ptr)
{
    size_t index = ((uintptr_t)ptr - g_page_map.base) >> CHUNK_SHIFT;
    return index < page_map_count() ? index : 0;
}

// True if a chunk is free and may be resident. Requires LOCK_PAGE_HEAP.
static inline bool page_map_is_dirty(size_t index)
{
    ASSERT(index != 0);
    return ((g_page_map.dirty[index / 64] >> (index % 64)) & 1) != 0;
}

// The unit of HUGE_PAGE_BYTES that holds a chunk, and the first chunk of a unit. Unit 0 may begin
// below the map.
static inline size_t page_map_unit(size_t index)
{
    ASSERT(index <= UINT32_MAX);
    size_t unit_chunks = HUGE_PAGE_BYTES / CHUNK_BYTES;
    return ((g_page_map.base >> CHUNK_SHIFT) % unit_chunks + index) / unit_chunks;
}

static inline size_t page_map_unit_start(size_t unit)
{
    size_t unit_chunks = HUGE_PAGE_BYTES / CHUNK_BYTES;
    return unit * unit_chunks - (g_page_map.base >> CHUNK_SHIFT) % unit_chunks;
}

static inline enum chunk_state chunk_state(const struct chunk *entry)
{
    // acquire: pairs with the release in chunk_set_state
    return (enum chunk_state)atomic_load_explicit(&entry->state, memory_order_acquire);
}

static inline void chunk_set_state(struct chunk *entry, enum chunk_state state)
{
    ASSERT(state <= CHUNK_BODY);
    // release: whoever sees the state sees the fields that go with it
    atomic_store_explicit(&entry->state, (uint8_t)state, memory_order_release);
}

// The bin of the slab at this index; 0: no slab.
static inline unsigned page_map_bin(size_t index)
{
    return RELAXED_LOAD(g_page_map.bins[index]);
}

// Stores the bin of `length` chunks; 0: no slab.
void page_map_set_bin(size_t index, size_t length, uint8_t bin);

// The first entry of the slab or block that `entry` belongs to.
static inline struct chunk *chunk_head(struct chunk *entry)
{
    return chunk_state(entry) == CHUNK_BODY ? entry - RELAXED_LOAD(entry->head_distance) : entry;
}

// Marks chunks that have no head: free, released, or of a large block but for its first one.
void page_map_mark(size_t index, size_t length, enum chunk_state state);
// Marks all chunks of a span except the first as its body.
void page_map_mark_body(struct chunk *head, size_t length);

#endif
