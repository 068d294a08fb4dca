/* walk.c - a snapshot of all blocks.
 *
 * Owns:       the memory of a walk.
 * Threads:    any.
 * Locks:      LOCK_HUGE; then LOCK_PAGE_HEAP, so that no memory is released; none while blocks are
 *             reported.
 * Invariants: WALK-1  a link is followed only from a block of a slab that was seen, and each block
 *                     is marked once: concurrent writes cannot lead it astray.
 *
 * Free blocks lie in three places: in their slab, in magazines of slots, and in those of depots.
 * The first pass notes the state of every chunk, the second marks them.
 */
#include "inspect/walk.h"

#include "pages/huge.h"
#include "pages/map_cache.h"
#include "pages/span.h"
#include "base/check.h"
#include "base/os.h"
#include "hardened/guarded.h"
#include "sampling/guard.h"
#include "hardened/harden.h"
#include "core/depot_look.h"
#include "core/inherited.h"
#include "core/slab.h"
#include "core/slot.h"

#define BITS_WORDS (SMALL_BLOCKS_MAX / 64)

// One chunk: the first one of a slab or span, else a state that is never reported.
struct seen {
    uint8_t state;               // enum chunk_state
    uint8_t sc;                  // of a slab
    uint16_t blocks;             // of a slab
    size_t bytes;                // of all else
    const struct hslab *slab;    // of a hardened slab
    const char *start;           // of a block between guard pages
    uint64_t free[BITS_WORDS];   // bit set: the block is free
    uint64_t cached[BITS_WORDS]; // bit set: and lies in the cache of some CPU
};

struct walk {
    size_t mapped_bytes; // of this structure and what follows it
    size_t chunks;
    size_t at;      // current chunk
    unsigned block; // in its slab
    size_t huge_at;
    size_t huge_count;
    unsigned guard_at; // place of the pool of guard:N
    struct huge_view *huge;
    struct seen seen[];
};

// ---- taking the snapshot ----

static void mark(uint64_t *bits, unsigned block)
{
    ASSERT(block < SMALL_BLOCKS_MAX);
    bits[block / 64] |= 1UL << (block % 64);
}

static bool is_marked(const uint64_t *bits, unsigned block)
{
    ASSERT(block < SMALL_BLOCKS_MAX);
    return ((bits[block / 64] >> (block % 64)) & 1) != 0;
}

// Marks the blocks of a list, as far as its links are plausible. Harmless by WALK-1: each link is
// looked up before it is followed, and no slab is released under LOCK_PAGE_HEAP.
RACY_READER static void mark_list(struct walk *walk, list_word list, bool is_cached)
{
    while (!list_is_empty(list)) {
        const void *block = list_first(list);
        size_t at = page_map_find(block);
        if (at == 0 || at >= walk->chunks) {
            return;
        }
        struct chunk *slab = chunk_head(page_map_entry(at));
        if (chunk_state(slab) != CHUNK_SLAB) {
            return;
        }
        unsigned index = slab_block_index(slab, block);
        struct seen *seen = &walk->seen[page_map_index(slab)];
        if (index == SLAB_NO_BLOCK || is_marked(seen->free, index)) { // WALK-1
            return;
        }
        mark(seen->free, index);
        if (is_cached) {
            mark(seen->cached, index);
        }
        list = *(const list_word *)block; // read here, not in a callee: its user may write it
    }
}

// If the class changes meanwhile, blocks may be marked wrongly; no index exceeds the
// maximum of a slab.
static void see_slab(struct walk *walk, const struct chunk *slab, struct seen *seen)
{
    size_t page = max_size(os_page_bytes(), CARVE_BYTES);
    size_t block_bytes = size_class_bytes(RELAXED_LOAD(slab->sc));
    uint32_t purged = RELAXED_LOAD(slab->purged);
    seen->blocks = (uint16_t)slab_reached(slab);
    ASSERT(seen->blocks <= SMALL_BLOCKS_MAX);
    for (unsigned block = 0; purged != 0 && block < seen->blocks; block++) {
        size_t place = block * block_bytes / page; // beyond 31 where the class has changed
        if (place < 32 && ((purged >> place) & 1) != 0) {
            mark(seen->free, block);
        }
    }
    for (unsigned block = 0; inherited_count(slab) != 0 && block < seen->blocks; block++) {
        if (inherited_is_marked(slab, block)) {
            mark(seen->free, block);
        }
    }
    mark_list(walk, RELAXED_LOAD(slab->free), false);
}

static void see_hslab(const struct hslab *slab, struct seen *seen)
{
    seen->slab = slab;
    seen->blocks = RELAXED_LOAD(slab->opened);
    ASSERT(seen->blocks <= SMALL_BLOCKS_MAX);
    for (unsigned slot = 0; slot < seen->blocks; slot++) {
        if ((hslab_record(slab, slot) & RECORD_USED) == 0) {
            mark(seen->free, slot);
        }
    }
}

// After a span is allocated and before it is marked, stale entries inside it are visible: the first
// entry of a former free span. An entry inside a real one is no head. Harmless: a wrong length is
// compared with the entry at its end.
static size_t length_of(const struct walk *walk, size_t index)
{
    ASSERT(index != 0);
    ASSERT(index < walk->chunks);
    const struct chunk *entry = page_map_entry(index);
    size_t length = max_size(RELAXED_LOAD(entry->length), 1);
    if (chunk_state(entry) != CHUNK_FREE) {
        return length;
    }
    size_t last = index + length - 1;
    bool is_true = last < walk->chunks && chunk_state(page_map_entry(last)) == CHUNK_FREE &&
                   RELAXED_LOAD(page_map_entry(last)->length) == length;
    return is_true ? length : 1;
}

// Harmless: each entry is read once, and a wrong length still leads to an entry of the map.
static void see_chunks(struct walk *walk)
{
    for (size_t i = 1; i < walk->chunks; i++) {
        struct chunk *entry = page_map_entry(i);
        struct seen *seen = &walk->seen[i];
        enum chunk_state state = chunk_state(entry);
        seen->state = (uint8_t)state;
        seen->sc = RELAXED_LOAD(entry->sc);
        if (state == CHUNK_FREE || (state >= CHUNK_SLAB && state < CHUNK_BODY)) {
            size_t length = length_of(walk, i);
            seen->bytes = length << CHUNK_SHIFT;
            if (state == CHUNK_SLAB) {
                see_slab(walk, entry, seen);
            } else if (state == CHUNK_HSLAB) {
                see_hslab(hslab_of(entry), seen);
            } else if (state == CHUNK_LARGE || state == CHUNK_PLACED || state == CHUNK_GUARDED) {
                seen->bytes = RELAXED_LOAD(entry->usable_bytes);
                seen->start = state == CHUNK_GUARDED ? guarded_block(entry) : NULL;
            }
            i += length - 1;
        }
    }
}

static void see_magazines(struct walk *walk)
{
    for (const struct slot *slot = slot_next(NULL); slot != NULL; slot = slot_next(slot)) {
        for (unsigned bin = 1; bin <= CLASSES; bin++) {
            mark_list(walk, slot_look(&slot->loaded[bin]), true);
            mark_list(walk, slot_look(&slot->spare[bin]), true);
        }
    }
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        list_word lists[DEPOT_MAGAZINES];
        unsigned count = depot_look(sc, lists, DEPOT_MAGAZINES);
        for (unsigned i = 0; i < count; i++) {
            mark_list(walk, lists[i], true);
        }
    }
}

struct walk *walk_begin(void)
{
    size_t chunks = page_map_count();
    size_t huge_max = huge_look(NULL, 0) + MAP_CACHE_ENTRIES; // some may be added meanwhile
    size_t bytes = align_up(sizeof(struct walk) + chunks * sizeof(struct seen) +
                                huge_max * sizeof(struct huge_view),
                            os_page_bytes());
    struct walk *walk = os_map(NULL, bytes);
    if (walk == NULL) {
        return NULL;
    }
    walk->mapped_bytes = bytes;
    walk->chunks = chunks;
    walk->huge = (struct huge_view *)&walk->seen[chunks];
    ASSERT((char *)(walk->huge + huge_max) <= (char *)walk + bytes);
    walk->huge_count = min_size(huge_look(walk->huge, huge_max), huge_max);
    span_hold();
    walk->chunks = min_size(chunks, page_map_count());
    see_chunks(walk);
    see_magazines(walk);
    span_let_go();
    return walk;
}

// ---- reporting ----

// The next block of the slab at walk->at; false: there are no more.
static bool next_in_slab(struct walk *walk, struct myalloc_block *block)
{
    ASSERT(walk->at < walk->chunks);
    const struct seen *seen = &walk->seen[walk->at];
    unsigned i = walk->block++;
    if (i >= seen->blocks) {
        walk->block = 0;
        return false;
    }
    bool is_plain = seen->slab == NULL; // among hardened slabs MEDIUM_END is another class
    bool is_empty = !is_plain && seen->sc == HSLAB_EMPTY_CLASS;
    size_t bytes = is_plain ? size_class_bytes(seen->sc) : hslab_slot_bytes(seen->sc);
    ASSERT(bytes != 0);
    block->address = (char *)page_map_address(walk->at) + i * bytes;
    block->bytes = is_plain ? bytes : hslab_bytes_in(seen->slab, hslab_record(seen->slab, i));
    block->tier = is_empty || size_class_is_small(seen->sc) ? MYALLOC_SMALL
                  : seen->sc < MEDIUM_END                   ? MYALLOC_MEDIUM
                                                            : MYALLOC_LARGE;
    block->state = is_marked(seen->cached, i) ? MYALLOC_CACHED
                   : is_marked(seen->free, i) ? MYALLOC_FREE
                                              : MYALLOC_IN_USE;
    return true;
}

static int tier_of(const struct seen *seen)
{
    bool is_placed = seen->state == CHUNK_PLACED;
    return is_placed && seen->bytes <= SMALL_BYTES_MAX    ? MYALLOC_SMALL
           : is_placed && seen->bytes <= MEDIUM_BYTES_MAX ? MYALLOC_MEDIUM
           : seen->state == CHUNK_POOL                    ? MYALLOC_POOL
                                                          : MYALLOC_LARGE;
}

// Sampled blocks: those in use now.
static bool next_in_pool(struct walk *walk, struct myalloc_block *block)
{
    ASSERT(walk->huge_at == walk->huge_count);
    const void *ptr = NULL;
    size_t bytes = 0;
    while (ptr == NULL) {
        if (!guard_look(walk->guard_at++, &ptr, &bytes)) {
            return false;
        }
    }
    *block = (struct myalloc_block){
        ptr, bytes, bytes <= SMALL_BYTES_MAX ? MYALLOC_SMALL : MYALLOC_MEDIUM, MYALLOC_IN_USE};
    return true;
}

bool walk_next(struct walk *walk, struct myalloc_block *block)
{
    ASSERT(walk->mapped_bytes != 0);
    ASSERT(walk->huge_at <= walk->huge_count);
    for (; walk->at < walk->chunks; walk->at++) {
        const struct seen *seen = &walk->seen[walk->at];
        if (seen->blocks != 0) {
            if (next_in_slab(walk, block)) {
                return true;
            }
        } else if (seen->bytes != 0) {
            *block = (struct myalloc_block){
                .address = seen->start != NULL ? seen->start : page_map_address(walk->at),
                .bytes = seen->bytes,
                .tier = tier_of(seen),
                .state = seen->state == CHUNK_FREE ? MYALLOC_FREE : MYALLOC_IN_USE,
            };
            walk->at++;
            return true;
        }
    }
    if (walk->huge_at < walk->huge_count) {
        struct huge_view *view = &walk->huge[walk->huge_at++];
        if (g_harden.is_on) {
            guarded_see_huge(view);
        }
        *block = (struct myalloc_block){view->start, view->bytes, MYALLOC_HUGE,
                                        view->is_cached ? MYALLOC_CACHED : MYALLOC_IN_USE};
        return true;
    }
    if (next_in_pool(walk, block)) {
        return true;
    }
    walk_end(walk);
    return false;
}

void walk_end(struct walk *walk)
{
    ASSERT(walk->mapped_bytes != 0);
    os_unmap(walk, walk->mapped_bytes);
}
