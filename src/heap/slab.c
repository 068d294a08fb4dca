/* slab.c - one small slab.
 *
 * Owns:       free, left, armed, listed, carved, reached, purged of the map entries of small slabs.
 * Threads:    the owner of the slab; slab_block_index any.
 * Locks:      takes none.
 * Invariants: SLAB-1  listed + (armed - left) blocks stand on the free list, at most `carved`.
 *             SLAB-2  carved = reached - blocks that begin in purged pages; reached <= capacity.
 * States:     see heap.c, which moves them.
 */
#include "heap/slab.h"

#include "base/os.h"

#include <string.h>

void *list_end = &list_end;

void slab_set_owner(struct chunk *slab, struct heap *heap)
{
    struct heap *old = chunk_owner(slab);
    if (old != NULL) {
        atomic_fetch_sub_explicit(&old->slabs, 1, memory_order_relaxed);
    }
    if (heap != NULL) {
        atomic_fetch_add_explicit(&heap->slabs, 1, memory_order_relaxed);
    }
    chunk_set_owner(slab, heap);
}

void slab_open(size_t index, unsigned class, struct heap *heap)
{
    struct chunk *slab = page_map_entry(index);
    slab_set_first(slab, NULL);
    slab->carved = 0;
    atomic_store_explicit(&slab->reached, 0, memory_order_relaxed);
    slab->purged = 0;
    slab->class = (uint8_t) class;
    slab->prev = 0;
    slab->next = 0;
    slab->length = 1;
    slab_arm(slab, 0, SLAB_ARM_NEVER);
    chunk_set_state(slab, CHUNK_ACTIVE);
    slab_set_owner(slab, heap);
}

void slab_close(struct chunk *slab)
{
    slab_set_owner(slab, NULL);
    slab->usable_bytes = size_class_bytes(slab->class); // for the message of a late free
    slab->head_distance = 0;
    chunk_set_state(slab, CHUNK_BODY);
}

// Links blocks [from, to) in address order; the first.
static void *link_blocks(const struct chunk *slab, unsigned from, unsigned to)
{
    size_t bytes = size_class_bytes(slab->class);
    char *first = slab_block(slab, from);
    char *block = first;
    for (unsigned i = from + 1; i < to; i++) {
        block_set_link(block, block + bytes);
        block += bytes;
    }
    block_set_next(block, NULL);
    return first;
}

// The first block that begins in or behind a page of the slab, at most `reached`.
static unsigned first_block_in(const struct chunk *slab, unsigned page)
{
    size_t bytes = size_class_bytes(slab->class);
    size_t block = (page * CARVE_BYTES + bytes - 1) / bytes;
    return (unsigned)min_size(block, slab_reached(slab));
}

// Carves the blocks that begin in a purged page anew.
static void *carve_purged(struct chunk *slab, unsigned *count)
{
    unsigned page = (unsigned)__builtin_ctz(slab->purged);
    unsigned from = first_block_in(slab, page);
    unsigned to = first_block_in(slab, page + 1);
    slab->purged &= (uint8_t)(slab->purged - 1);
    slab->carved = (uint16_t)(slab->carved + (to - from)); // SLAB-2
    *count = to - from;
    return link_blocks(slab, from, to);
}

void *slab_carve(struct chunk *slab, unsigned least, unsigned most, unsigned *count)
{
    if (slab->purged != 0) {
        return carve_purged(slab, count);
    }
    const struct size_class *class = &g_size_classes[slab->class];
    unsigned from = slab_reached(slab);
    if (from == class->blocks) {
        return NULL;
    }
    size_t page_end = align_down((size_t)from * class->block_bytes, CARVE_BYTES) + CARVE_BYTES;
    unsigned to = (unsigned)(page_end / class->block_bytes);
    to = to < from + least ? from + least : to;
    to = to > from + most ? from + most : to;
    to = to > class->blocks ? class->blocks : to;
    atomic_store_explicit(&slab->reached, to, memory_order_relaxed);
    slab->carved = (uint16_t)(slab->carved + (to - from)); // SLAB-2
    *count = to - from;
    return link_blocks(slab, from, to);
}

void *slab_carve_one(struct chunk *slab)
{
    unsigned block = slab_reached(slab);
    if (slab->purged != 0 || block == slab_capacity(slab)) {
        return NULL;
    }
    atomic_store_explicit(&slab->reached, block + 1, memory_order_relaxed);
    slab->carved++; // SLAB-2
    return slab_block(slab, block);
}

void slab_put_list(struct chunk *slab, void *first, void *last, unsigned count)
{
    block_set_link(last, slab->free);
    slab->free = first;
    slab->listed = (uint16_t)(slab->listed + count);
    ASSERT(slab_free_count(slab) <= slab->carved); // SLAB-1
}

// ---- purging single pages ----

#define SLAB_PAGES (CHUNK_BYTES / CARVE_BYTES)

// What of a slab is free, page by page.
struct page_counts {
    unsigned begun[SLAB_PAGES];             // free blocks that begin in the page
    bool is_entered_freely[SLAB_PAGES + 1]; // a free block reaches into it from the page before
};

static void count_free(const struct chunk *slab, struct page_counts *counts)
{
    size_t bytes = size_class_bytes(slab->class);
    uintptr_t start = (uintptr_t)page_map_address(page_map_index(slab));
    unsigned length = 0;
    memset(counts, 0, sizeof *counts);
    for (void *block = slab_first(slab); block != NULL; block = block_next(block)) {
        size_t offset = (uintptr_t)block - start;
        if (offset >= CHUNK_BYTES || ++length > slab->carved) { // a ring, or another slab's
            fatal_double_free(block, bytes, NULL);
        }
        counts->begun[offset / CARVE_BYTES]++;
        if (offset % CARVE_BYTES + bytes > CARVE_BYTES) {
            counts->is_entered_freely[offset / CARVE_BYTES + 1] = true;
        }
    }
}

// True when some block begins in the page and all that reach into it are free.
static bool page_is_free(const struct chunk *slab, const struct page_counts *counts, unsigned page)
{
    unsigned from = first_block_in(slab, page);
    unsigned to = first_block_in(slab, page + 1);
    bool is_entered = from * size_class_bytes(slab->class) > page * CARVE_BYTES;
    bool was_purged = page != 0 && ((slab->purged >> (page - 1)) & 1) != 0;
    return from != to && counts->begun[page] == to - from &&
           (!is_entered || was_purged || counts->is_entered_freely[page]);
}

// Takes the blocks that begin in `pages` off the list.
static void unlist(struct chunk *slab, unsigned pages)
{
    uintptr_t start = (uintptr_t)page_map_address(page_map_index(slab));
    void *last = NULL;
    unsigned count = 0;
    unsigned dropped = 0;
    void *next = NULL;
    for (void *block = slab_first(slab); block != NULL; block = next) {
        next = block_next(block);
        if (((pages >> (((uintptr_t)block - start) / CARVE_BYTES)) & 1) != 0) {
            dropped++;
            continue;
        }
        if (last == NULL) {
            slab_set_first(slab, block);
        } else if (block_next(last) != block) { // most links stay
            block_set_next(last, block);
        }
        last = block;
        count++;
    }
    if (last == NULL) {
        slab_set_first(slab, NULL);
    } else {
        block_set_next(last, NULL);
    }
    slab->purged |= (uint8_t)pages;
    slab->carved = (uint16_t)(slab->carved - dropped); // SLAB-2
    slab_arm(slab, count, slab->left);
}

// Pages in a row at once.
static void purge_rows(const struct chunk *slab, unsigned pages)
{
    char *start = page_map_address(page_map_index(slab));
    while (pages != 0) {
        unsigned from = (unsigned)__builtin_ctz(pages);
        unsigned length = (unsigned)__builtin_ctz(~(pages >> from));
        os_purge(start + from * CARVE_BYTES, length * CARVE_BYTES);
        pages &= ~(((1U << length) - 1) << from);
    }
}

size_t slab_purge_pages(struct chunk *slab)
{
    struct page_counts counts;
    uint64_t signals;
    unsigned pages = 0;
    if (os_page_bytes() > CARVE_BYTES || slab_first(slab) == NULL) {
        return 0;
    }
    os_signals_block(&signals); // a handler may free a block of this slab
    count_free(slab, &counts);
    for (unsigned page = 0; page < SLAB_PAGES; page++) {
        pages |= (unsigned)page_is_free(slab, &counts, page) << page;
    }
    if (pages != 0) {
        unlist(slab, pages);
        purge_rows(slab, pages);
    }
    os_signals_restore(&signals);
    return (size_t)__builtin_popcount(pages) * CARVE_BYTES;
}
