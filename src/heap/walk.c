/* walk.c - a list of all blocks, drawn up at one moment.
 *
 * Owns:       the memory of a walk.
 * Threads:    any.
 * Locks:      LOCK_HUGE; then LOCK_ORPHAN, so that no thread ends, LOCK_TRANSFER, tried, and
 *             LOCK_PAGE_HEAP, so that no memory goes away; none while blocks are told.
 * Invariants: WALK-1  a link is followed only from a block of a small slab that was seen, and each
 *                     block is marked once: what others write meanwhile leads nowhere.
 *
 * Free small blocks lie in four places: on the list of their slab, in its mail, in bins or foreign
 * lists, and in batches. The first pass notes the state of every chunk, the second marks them.
 */
#include "heap/walk.h"

#include "pages/huge.h"
#include "pages/span.h"
#include "base/os.h"
#include "heap/fence.h"
#include "heap/guard.h"
#include "heap/harden.h"
#include "heap/medium.h"
#include "heap/orphan.h"
#include "heap/slab.h"
#include "heap/transfer.h"

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
    struct batch batches[SMALL_CLASSES * TRANSFER_BATCHES];
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
RACY_READER static void mark_list(struct walk *walk, const void *block, bool is_cached)
{
    while (block != NULL) {
        size_t at = page_map_find(block);
        struct chunk *slab = page_map_entry(at);
        if (at == 0 || at >= walk->chunks || !chunk_is_small(slab)) {
            return;
        }
        unsigned index = slab_block_index(slab, block);
        struct seen *seen = &walk->seen[at];
        if (index == SMALL_BLOCKS_MAX || is_marked(seen->free, index)) { // WALK-1
            return;
        }
        mark(seen->free, index);
        if (is_cached) {
            mark(seen->cached, index);
        }
        block = block_next(block);
    }
}

RACY_READER static void see_small(struct walk *walk, struct chunk *slab, struct seen *seen)
{
    const struct remote *remote = page_map_remote(page_map_index(slab));
    seen->blocks = (uint16_t)slab_reached(slab);
    if (atomic_load_explicit(&remote->count, memory_order_relaxed) != 0) {
        for (unsigned i = 0; i < BITS_WORDS; i++) {
            seen->free[i] = remote->bits[i];
        }
    }
    for (unsigned block = 0; slab->purged != 0 && block < seen->blocks; block++) {
        if (((slab->purged >> block * size_class_bytes(slab->class) / CARVE_BYTES) & 1) != 0) {
            mark(seen->free, block);
        }
    }
    mark_list(walk, slab_first(slab), false);
}

static void see_medium(const struct chunk *slab, struct seen *seen)
{
    seen->blocks = slab->carved;
    for (unsigned block = 0; block < slab->carved; block++) {
        if (medium_hold(slab_block(slab, block)) == HOLD_USER) {
            continue;
        }
        mark(seen->free, block);
        if (((slab->mask >> block) & 1) == 0) {
            mark(seen->cached, block);
        }
    }
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
        seen->class = entry->class;
        if (chunk_is_small(entry)) {
            see_small(walk, entry, seen);
        } else if (state == CHUNK_FREE || (state >= CHUNK_MEDIUM && state < CHUNK_BODY)) {
            size_t length = length_of(walk, i);
            seen->bytes = length << CHUNK_SHIFT;
            if (state == CHUNK_MEDIUM) {
                see_medium(entry, seen);
            } else if (state == CHUNK_RACK) {
                see_rack(rack_of(entry), seen);
            } else if (state == CHUNK_LARGE || state == CHUNK_FENCE) {
                seen->bytes = entry->usable_bytes;
                seen->start = state == CHUNK_FENCE ? fence_block(entry) : NULL;
            }
            i += length - 1;
        }
    }
}

RACY_READER static void see_stocks(struct walk *walk, const struct heap *own, bool others)
{
    for (const struct heap *heap = orphan_next_heap(NULL); heap != NULL;
         heap = orphan_next_heap(heap)) {
        void *const *bins =
            heap == own || (others && (heap->busy & BUSY_INSIDE) == 0) ? heap->bins : NULL;
        for (unsigned class = 0; class < SMALL_CLASSES; class ++) {
            mark_list(walk, heap->foreign[class].head, true);
            if (bins != NULL) {
                mark_list(walk, link_block(bins[class]), true);
            }
        }
    }
    for (unsigned i = 0; i < SMALL_CLASSES * TRANSFER_BATCHES; i++) {
        mark_list(walk, walk->batches[i].head, true);
    }
}

struct walk *walk_begin(const struct heap *own, bool others)
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
    orphan_hold();
    for (unsigned class = 0; class < SMALL_CLASSES; class ++) {
        transfer_look(class, &walk->batches[(size_t) class * TRANSFER_BATCHES]);
    }
    span_hold();
    walk->chunks = min_size(chunks, page_map_count());
    see_chunks(walk);
    see_stocks(walk, own, others);
    span_let_go();
    orphan_let_go();
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
                .tier = seen->state == CHUNK_BASIN ? MYALLOC_POOL : MYALLOC_LARGE,
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
