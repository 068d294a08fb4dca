/* slab.h - a span cut into equal blocks of one size class. All functions are for the holder of the
 * lock of the class (depot.c), unless said otherwise.
 *
 * A slab knows its blocks by three numbers and a list: blocks from `reached` on were never made,
 * `carved` of those below are, the others begin in pages that were purged since; the free ones that
 * came home stand on `free`, which counts itself.
 */
#ifndef CORE_SLAB_H
#define CORE_SLAB_H

#include "base/check.h"
#include "core/list.h"
#include "core/size_class.h"
#include "pages/page_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline unsigned slab_capacity(const struct chunk *slab)
{
    return g_size_classes[slab->sc].blocks;
}

static inline unsigned slab_free_count(const struct chunk *slab)
{
    return list_count(slab->free);
}

// All its blocks are home.
static inline bool slab_is_idle(const struct chunk *slab)
{
    ASSERT(slab_free_count(slab) <= slab->carved); // SLAB-1
    return slab_free_count(slab) == slab->carved;
}

// Any thread: blocks from here on were never made.
static inline unsigned slab_reached(const struct chunk *slab)
{
    return atomic_load_explicit(&slab->reached, memory_order_relaxed);
}

// It can give blocks: such that came home, or such that are still to be carved.
static inline bool slab_has_blocks(const struct chunk *slab)
{
    return !list_is_empty(slab->free) || slab->purged != 0 ||
           slab_reached(slab) != slab_capacity(slab);
}

// Its blocks in slots, in magazines, or in use.
static inline unsigned slab_out_count(const struct chunk *slab)
{
    ASSERT(slab_free_count(slab) <= slab->carved); // SLAB-1
    return slab->carved - slab_free_count(slab);
}

static inline char *slab_start(const struct chunk *slab)
{
    return page_map_address(page_map_index(slab));
}

static inline char *slab_block(const struct chunk *slab, unsigned index)
{
    ASSERT(index <= slab_capacity(slab));
    return slab_start(slab) + (size_t)index * size_class_bytes(slab->sc);
}

// Any thread: the slab that holds `ptr`, which lies in a chunk that the class table names.
static inline struct chunk *slab_of(const void *ptr)
{
    ASSERT(page_map_find(ptr) != 0);
    return chunk_head(page_map_entry(page_map_find(ptr)));
}

#define SLAB_NO_BLOCK UINT32_MAX
// Any thread: the index of the block that begins at `ptr`; SLAB_NO_BLOCK when none does, or it was
// never made.
static inline unsigned slab_block_index(const struct chunk *slab, const void *ptr)
{
    size_t offset = (size_t)((const char *)ptr - slab_start(slab));
    unsigned index = size_class_block_index(slab->sc, offset);
    bool begins = index * size_class_bytes(slab->sc) == offset;
    return begins && index < slab_reached(slab) ? index : SLAB_NO_BLOCK;
}

// Makes a slab of a fresh span, nothing carved. `is_clean`: its memory is zero.
void slab_open(size_t index, unsigned sc, bool is_clean);
// The opposite; the span is to be freed. Nobody's lock is needed any more.
void slab_close(struct chunk *slab);

// Carves the blocks of the next page, or of one that was purged: a list; empty when all are
// carved. *is_clean: it is a single block, and that is zero.
list_word slab_carve(struct chunk *slab, bool *is_clean);

// Puts a free block home. False: more come home than there are.
bool slab_put(struct chunk *slab, void *block);

// Takes all blocks that are home.
static inline list_word slab_take(struct chunk *slab)
{
    ASSERT(slab_free_count(slab) <= slab->carved); // SLAB-1
    list_word list = slab->free;
    slab->free = list_empty();
    return list;
}

// Purges the pages of which no byte is in use; their blocks leave the list until they are carved
// anew. Bytes given back. Dies of a list that is not sound.
size_t slab_purge_pages(struct chunk *slab);

// Dies: the link of a free block is not sound: it was freed twice, or written to.
NORETURN NOINLINE COLD void slab_complain(const void *block, const void *caller);

#endif
