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

void slab_set_owner(struct granule *slab, struct heap *heap)
{
    struct heap *old = granule_owner(slab);
    if (old != NULL) {
        atomic_fetch_sub_explicit(&old->slabs, 1, memory_order_relaxed);
    }
    if (heap != NULL) {
        atomic_fetch_add_explicit(&heap->slabs, 1, memory_order_relaxed);
    }
    granule_set_owner(slab, heap);
}

void slab_open(size_t index, unsigned class, struct heap *heap)
{
    struct granule *slab = granule_map_entry(index);
    slab_set_first(slab, NULL);
    slab->carved = 0;
    atomic_store_explicit(&slab->reached, 0, memory_order_relaxed);
    slab->purged = 0;
    slab->class = (uint8_t) class;
    slab->prev = 0;
    slab->next = 0;
    slab->length = 1;
    slab_arm(slab, 0, SLAB_ARM_NEVER);
    granule_set_state(slab, GRANULE_ACTIVE);
    slab_set_owner(slab, heap);
}

void slab_close(struct granule *slab)
{
    slab_set_owner(slab, NULL);
    slab->usable_bytes = size_class_bytes(slab->class); // for the message of a late free
    slab->head_distance = 0;
    granule_set_state(slab, GRANULE_BODY);
}

// Links blocks [from, to) in address order; the first.
static void *link_blocks(const struct granule *slab, unsigned from, unsigned to)
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
static unsigned first_block_in(const struct granule *slab, unsigned page)
{
    size_t bytes = size_class_bytes(slab->class);
    size_t block = (page * CARVE_BYTES + bytes - 1) / bytes;
    return (unsigned)min_size(block, slab_reached(slab));
}

// Carves the blocks that begin in a purged page anew.
static void *carve_purged(struct granule *slab, unsigned *count)
{
    unsigned page = (unsigned)__builtin_ctz(slab->purged);
    unsigned from = first_block_in(slab, page);
    unsigned to = first_block_in(slab, page + 1);
    slab->purged &= (uint8_t)(slab->purged - 1);
    slab->carved = (uint16_t)(slab->carved + (to - from)); // SLAB-2
    *count = to - from;
    return link_blocks(slab, from, to);
}

void *slab_carve(struct granule *slab, unsigned least, unsigned most, unsigned *count)
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

void *slab_carve_one(struct granule *slab)
{
    unsigned block = slab_reached(slab);
    if (slab->purged != 0 || block == slab_capacity(slab)) {
        return NULL;
    }
    atomic_store_explicit(&slab->reached, block + 1, memory_order_relaxed);
    slab->carved++; // SLAB-2
    return slab_block(slab, block);
}

void slab_put_list(struct granule *slab, void *first, void *last, unsigned count)
{
    block_set_link(last, slab->free);
    slab->free = first;
    slab->listed = (uint16_t)(slab->listed + count);
    ASSERT(slab_free_count(slab) <= slab->carved); // SLAB-1
}

// ---- purging single pages ----

struct block_set {
    uint64_t bits[SMALL_BLOCKS_MAX / 64];
};

static bool set_has(const struct block_set *set, unsigned block)
{
    return ((set->bits[block / 64] >> (block % 64)) & 1) != 0;
}

// The page in which a block begins.
static unsigned page_of(const struct granule *slab, unsigned block)
{
    return (unsigned)(block * size_class_bytes(slab->class) / CARVE_BYTES);
}

// The free blocks: on the list, or beginning in a purged page.
static COLD void set_of_free(const struct granule *slab, struct block_set *set)
{
    memset(set, 0, sizeof *set);
    for (void *block = slab_first(slab); block != NULL; block = block_next(block)) {
        unsigned index = slab_block_index(slab, block);
        if (index == SMALL_BLOCKS_MAX || set_has(set, index)) {
            die_double_free(block, size_class_bytes(slab->class), NULL);
        }
        set->bits[index / 64] |= 1UL << (index % 64);
    }
    for (unsigned block = 0; slab->purged != 0 && block < slab_reached(slab); block++) {
        if (((slab->purged >> page_of(slab, block)) & 1) != 0) {
            set->bits[block / 64] |= 1UL << (block % 64);
        }
    }
}

// True when some block begins in the page and all that reach into it are free.
static COLD bool page_is_free(const struct granule *slab, const struct block_set *free,
                              unsigned page)
{
    unsigned from = first_block_in(slab, page);
    unsigned to = first_block_in(slab, page + 1);
    size_t bytes = size_class_bytes(slab->class);
    bool reached_into = from != 0 && from * bytes > page * CARVE_BYTES;
    if (from == to || (reached_into && !set_has(free, from - 1))) {
        return false;
    }
    for (unsigned block = from; block < to; block++) {
        if (!set_has(free, block)) {
            return false;
        }
    }
    return true;
}

// Purges `pages` in the books: only the free blocks that begin in pages that stay are listed, in
// address order.
static COLD void relist(struct granule *slab, const struct block_set *free, unsigned pages)
{
    unsigned purged_before = slab->purged;
    void *list = NULL;
    unsigned count = 0;
    unsigned dropped = 0;
    for (unsigned block = slab_reached(slab); block-- != 0;) {
        unsigned page = page_of(slab, block);
        if (!set_has(free, block) || ((purged_before >> page) & 1) != 0) {
            continue;
        }
        if (((pages >> page) & 1) != 0) {
            dropped++;
            continue;
        }
        block_set_next(slab_block(slab, block), list);
        list = slab_block(slab, block);
        count++;
    }
    slab_set_first(slab, list);
    slab->purged |= (uint8_t)pages;
    slab->carved = (uint16_t)(slab->carved - dropped); // SLAB-2
    slab_arm(slab, count, slab->left);
}

COLD size_t slab_purge_pages(struct granule *slab)
{
    struct block_set free;
    unsigned pages = 0;
    if (os_page_bytes() > CARVE_BYTES || slab_first(slab) == NULL) {
        return 0;
    }
    set_of_free(slab, &free);
    for (unsigned page = 0; page < GRANULE_BYTES / CARVE_BYTES; page++) {
        bool is_purged = ((slab->purged >> page) & 1) != 0;
        if (!is_purged && page_is_free(slab, &free, page)) {
            pages |= 1U << page;
        }
    }
    if (pages == 0) {
        return 0;
    }
    relist(slab, &free, pages);
    for (unsigned page = 0; page < GRANULE_BYTES / CARVE_BYTES; page++) {
        if (((pages >> page) & 1) != 0) {
            char *start = granule_map_address(granule_map_index(slab));
            os_purge(start + page * CARVE_BYTES, CARVE_BYTES);
        }
    }
    return (size_t)__builtin_popcount(pages) * CARVE_BYTES;
}
