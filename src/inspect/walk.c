/* walk.c - a list of all blocks, drawn up at one moment.
 *
 * Owns:       the memory of a walk.
 * Threads:    any.
 * Locks:      LOCK_HUGE; then LOCK_PAGE_HEAP, so that no memory goes away; none while blocks are
 *             told.
 * Invariants: WALK-1  a link is followed only from a block of a slab that was seen, and each block
 *                     is marked once: what others write meanwhile leads nowhere.
 *
 * Free blocks lie in three places: in their slab, in magazines of slots, and in those of depots.
 * The first pass notes the state of every chunk, the second marks them.
 */
#include "inspect/walk.h"

#include "pages/huge.h"
#include "pages/span.h"
#include "base/os.h"
#include "hardened/fence.h"
#include "sampling/guard.h"
#include "hardened/harden.h"
#include "core/depot.h"
#include "core/inherited.h"
#include "core/slab.h"
#include "core/slot.h"

#define BITS_WORDS (SMALL_BLOCKS_MAX / 64)

// One chunk: the first of whatever it is, else a state that is never told.
struct seen {
    uint8_t state;               // enum chunk_state
    uint8_t class;               // of a slab
    uint16_t blocks;             // of a slab
    size_t bytes;                // of all else
    const struct rack *rack;     // of a rack
    const char *start;           // of a block between guard pages
    uint64_t free[BITS_WORDS];   // bit set: the block is free
    uint64_t cached[BITS_WORDS]; // bit set: it is so in some thread's stock
};

struct walk {
    size_t mapped_bytes; // of this structure and what follows it
    size_t chunks;
    size_t at;      // chunk that is told
    unsigned block; // of its slab
    size_t huge_at;
    size_t huge_count;
    unsigned guard_at; // place of the pool of guard:N
    struct huge_view *huge;
    struct seen seen[];
};

// ---- looking ----

static void mark(uint64_t *bits, unsigned block)
{
    bits[block / 64] |= 1UL << (block % 64);
}

static bool is_marked(const uint64_t *bits, unsigned block)
{
    return ((bits[block / 64] >> (block % 64)) & 1) != 0;
}

// Marks the blocks of a list, as far as it makes sense.
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
        list = list_link(block);
    }
}

RACY_READER static void see_slab(struct walk *walk, const struct chunk *slab, struct seen *seen)
{
    size_t page = max_size(os_page_bytes(), CARVE_BYTES);
    seen->blocks = (uint16_t)slab_reached(slab);
    for (unsigned block = 0; slab->purged != 0 && block < seen->blocks; block++) {
        if (((slab->purged >> block * size_class_bytes(slab->sc) / page) & 1) != 0) {
            mark(seen->free, block);
        }
    }
    for (unsigned block = 0; inherited_count(slab) != 0 && block < seen->blocks; block++) {
        if (inherited_is_marked(slab, block)) {
            mark(seen->free, block);
        }
    }
    mark_list(walk, slab->free, false);
}

static void see_rack(const struct rack *rack, struct seen *seen)
{
    seen->rack = rack;
    seen->blocks = rack->opened;
    for (unsigned slot = 0; slot < rack->opened; slot++) {
        if ((rack_record(rack, slot) & RECORD_USED) == 0) {
            mark(seen->free, slot);
        }
    }
}

// Between a span's being taken and its being marked, what stood in the middle of it shows: a first
// entry of a free span that is none any more. What is behind a true one is no head.
RACY_READER static size_t length_of(const struct walk *walk, size_t index)
{
    const struct chunk *entry = page_map_entry(index);
    size_t length = max_size(entry->length, 1);
    if (chunk_state(entry) != CHUNK_FREE) {
        return length;
    }
    size_t last = index + length - 1;
    bool is_true = last < walk->chunks && chunk_state(page_map_entry(last)) == CHUNK_FREE &&
                   page_map_entry(last)->length == length;
    return is_true ? length : 1;
}

RACY_READER static void see_chunks(struct walk *walk)
{
    for (size_t i = 1; i < walk->chunks; i++) {
        struct chunk *entry = page_map_entry(i);
        struct seen *seen = &walk->seen[i];
        enum chunk_state state = chunk_state(entry);
        seen->state = (uint8_t)state;
        seen->class = entry->sc;
        if (state == CHUNK_FREE || (state >= CHUNK_SLAB && state < CHUNK_BODY)) {
            size_t length = length_of(walk, i);
            seen->bytes = length << CHUNK_SHIFT;
            if (state == CHUNK_SLAB) {
                see_slab(walk, entry, seen);
            } else if (state == CHUNK_RACK) {
                see_rack(rack_of(entry), seen);
            } else if (state == CHUNK_LARGE || state == CHUNK_PLACED || state == CHUNK_FENCE) {
                seen->bytes = entry->usable_bytes;
                seen->start = state == CHUNK_FENCE ? fence_block(entry) : NULL;
            }
            i += length - 1;
        }
    }
}

RACY_READER static void see_magazines(struct walk *walk)
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
    size_t huge_max = huge_look(NULL, 0) + HUGE_CACHE_ENTRIES; // some may come meanwhile
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
    walk->huge_count = min_size(huge_look(walk->huge, huge_max), huge_max);
    span_hold();
    walk->chunks = min_size(chunks, page_map_count());
    see_chunks(walk);
    see_magazines(walk);
    span_let_go();
    return walk;
}

// ---- telling ----

// The next block of the slab at walk->at; false: no more.
static bool next_in_slab(struct walk *walk, struct myalloc_block *block)
{
    const struct seen *seen = &walk->seen[walk->at];
    unsigned i = walk->block++;
    if (i >= seen->blocks) {
        walk->block = 0;
        return false;
    }
    size_t bytes = rack_slot_bytes(seen->class);
    block->address = (char *)page_map_address(walk->at) + i * bytes;
    block->bytes =
        seen->rack == NULL ? bytes : rack_bytes_in(seen->rack, rack_record(seen->rack, i));
    bool is_medium = seen->class < CLASSES && !size_class_is_small(seen->class);
    block->tier = is_medium ? MYALLOC_MEDIUM : MYALLOC_SMALL;
    block->state = is_marked(seen->cached, i) ? MYALLOC_CACHED
                   : is_marked(seen->free, i) ? MYALLOC_FREE
                                              : MYALLOC_IN_USE;
    return true;
}

static int tier_of(const struct seen *seen)
{
    bool is_small = seen->state == CHUNK_PLACED && seen->bytes <= SMALL_BYTES_MAX;
    return is_small                      ? MYALLOC_SMALL
           : seen->state == CHUNK_PLACED ? MYALLOC_MEDIUM
           : seen->state == CHUNK_BASIN  ? MYALLOC_POOL
                                         : MYALLOC_LARGE;
}

// Sampled blocks: those in use now.
static bool next_in_pool(struct walk *walk, struct myalloc_block *block)
{
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
            fence_see_huge(view);
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
    os_unmap(walk, walk->mapped_bytes);
}
