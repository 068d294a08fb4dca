/* slab.h - one small slab: a chunk cut into equal blocks. Owner only, unless said otherwise.
 *
 * The free blocks of a slab stand on entry->free. How many they are is never counted one by one:
 * `listed` blocks stood there when the countdown `left` was set to `armed`, and each local free
 * since took one off `left`.
 */
#ifndef HEAP_SLAB_H
#define HEAP_SLAB_H

#include "heap/heap_data.h"
#include "heap/size_class.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_ARM_NEVER (1U << 30) // a countdown that no slab can run down

// A free block holds the link to the next one and nothing else. The last one links to list_end,
// which links to itself: malloc meets the end of a list, and a block that was freed twice in a row,
// by one comparison. block_link and block_set_link deal with links as they are; the other two have
// NULL for the end.
extern HIDDEN void *list_end;

static inline void *block_link(const void *block)
{
    return *(void *const *)block;
}

static inline void block_set_link(void *block, void *link)
{
    *(void **)block = link;
}

static inline void *link_to(void *block)
{
    return block != NULL ? block : &list_end;
}

static inline void *link_block(void *link)
{
    return link != &list_end ? link : NULL;
}

static inline void *block_next(const void *block)
{
    return link_block(block_link(block));
}

static inline void block_set_next(void *block, void *next)
{
    block_set_link(block, link_to(next));
}

// The list of a slab: its first block, or NULL.
static inline void *slab_first(const struct chunk *slab)
{
    return link_block(slab->free);
}

static inline void slab_set_first(struct chunk *slab, void *block)
{
    slab->free = link_to(block);
}

// Any thread: blocks from this index on were never carved.
static inline unsigned slab_reached(const struct chunk *slab)
{
    return atomic_load_explicit(&slab->reached, memory_order_relaxed);
}

static inline unsigned slab_free_count(const struct chunk *slab)
{
    return slab->listed + (slab->armed - slab->left);
}

static inline unsigned slab_capacity(const struct chunk *slab)
{
    return g_size_classes[slab->class].blocks;
}

static inline bool slab_is_idle(const struct chunk *slab)
{
    return slab_free_count(slab) == slab->carved;
}

// Changes the owner, NULL for none, and the counts of both heaps.
void slab_set_owner(struct chunk *slab, struct heap *heap);

// Sets the countdown anew; `listed` blocks stand on the list.
static inline void slab_arm(struct chunk *slab, unsigned listed, uint32_t left)
{
    ASSERT(listed <= slab->carved); // SLAB-1
    slab->listed = (uint16_t)listed;
    slab->left = left;
    slab->armed = left;
}

// Makes a slab of a fresh chunk, ACTIVE and owned by `heap`, nothing carved.
void slab_open(size_t index, unsigned class, struct heap *heap);

// The opposite: nobody's, until its chunk is given back.
void slab_close(struct chunk *slab);

// Takes all blocks on the list; NULL when there are none. The next event comes after `left` frees.
static inline void *slab_take_list(struct chunk *slab, uint32_t left, unsigned *count)
{
    void *list = slab_first(slab);
    *count = slab_free_count(slab);
    slab_set_first(slab, NULL);
    slab_arm(slab, 0, left);
    return list;
}

// Carves the blocks of the next page, at least `least` and at most `most` of them, linked in
// address order; NULL when all are carved. Those of a page that was purged come all at once.
void *slab_carve(struct chunk *slab, unsigned least, unsigned most, unsigned *count);

// Carves a single block; NULL: there is none.
void *slab_carve_one(struct chunk *slab);

// Puts `count` linked blocks back; adjusts the countdown to what is still out.
void slab_put_list(struct chunk *slab, void *first, void *last, unsigned count);

// Purges the pages of which no byte is in use; their blocks leave the list until they are carved
// anew. Owner or holder of LOCK_POOL; bytes given back.
size_t slab_purge_pages(struct chunk *slab);

// Any thread: the index of the block that begins at `ptr`, SMALL_BLOCKS_MAX when none does.
static inline unsigned slab_block_index(const struct chunk *slab, const void *ptr)
{
    uintptr_t start = (uintptr_t)page_map_address(page_map_index(slab));
    size_t offset = (uintptr_t)ptr - start;
    unsigned index = size_class_block_index(slab->class, offset);
    bool begins = index * size_class_bytes(slab->class) == offset && index < slab_capacity(slab);
    return begins ? index : SMALL_BLOCKS_MAX;
}

static inline void *slab_block(const struct chunk *slab, unsigned index)
{
    char *start = page_map_address(page_map_index(slab));
    return start + index * size_class_bytes(slab->class);
}

#endif
