/* slab.h - a span cut into equal blocks of one size class. All functions require the lock of the
 * class, held by depot.c, unless said otherwise.
 *
 * Two numbers and a list describe the blocks of a slab: blocks from `reached` on were never carved;
 * `carved` of those below are, and the others begin in pages that were purged since; free blocks
 * that were returned to the slab are on `free`, which carries its length.
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
    return g_size_classes[RELAXED_LOAD(slab->sc)].blocks;
}

static inline unsigned slab_free_count(const struct chunk *slab)
{
    return list_count(RELAXED_LOAD(slab->free));
}

// True if all its blocks are on its free list.
static inline bool slab_is_idle(const struct chunk *slab)
{
    ASSERT(slab_free_count(slab) <= slab->carved); // SLAB-1
    return slab_free_count(slab) == slab->carved;
}

// Any thread: blocks from this index on were never carved.
static inline unsigned slab_reached(const struct chunk *slab)
{
    return atomic_load_explicit(&slab->reached, memory_order_relaxed);
}

// True if it can serve blocks: free ones, or ones yet to be carved.
static inline bool slab_has_blocks(const struct chunk *slab)
{
    return !list_is_empty(slab->free) || slab->purged != 0 ||
           slab_reached(slab) != slab_capacity(slab);
}

// Number of its blocks that are out: in slots, in magazines, or in use.
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

// Fresh blocks are linked so that about this many neighbours in a list lie in different lines.
#define SLAB_SPREAD_LINES 8U

// Any thread: the slab that holds `ptr`, which must lie in a chunk of the page map.
static inline struct chunk *slab_of(const void *ptr)
{
    ASSERT(page_map_find(ptr) != 0);
    return chunk_head(page_map_entry(page_map_find(ptr)));
}

#define SLAB_NO_BLOCK UINT32_MAX
// Any thread: the index of the block that begins at `ptr`; SLAB_NO_BLOCK if none does, or it was
// never carved.
static inline unsigned slab_block_index(const struct chunk *slab, const void *ptr)
{
    size_t offset = (size_t)((const char *)ptr - slab_start(slab));
    unsigned index = size_class_block_index(slab->sc, offset);
    bool begins = index * size_class_bytes(slab->sc) == offset;
    return begins && index < slab_reached(slab) ? index : SLAB_NO_BLOCK;
}

// Turns a fresh span into a slab with nothing carved. `is_clean`: its memory is zero.
void slab_open(size_t index, unsigned sc, bool is_clean);
// The opposite; the span is freed next. Nothing of it needs the lock any more.
void slab_close(struct chunk *slab);

// Carves the blocks of the next page, or of one that was purged, into a list; empty if all are
// carved. *is_clean: it is a single block that is zero.
list_word slab_carve(struct chunk *slab, bool *is_clean);

// Returns a free block to its slab. False: more were returned than are out.
bool slab_put(struct chunk *slab, void *block);

// Takes the whole free list.
static inline list_word slab_take(struct chunk *slab)
{
    ASSERT(slab_free_count(slab) <= slab->carved); // SLAB-1
    list_word list = slab->free;
    RELAXED_STORE(slab->free, list_empty());
    return list;
}

// Purges the pages of which no byte is in use; their blocks leave the free list until they are
// carved again. Returns the bytes purged. Dies if the list is not sound.
size_t slab_purge_pages(struct chunk *slab);

// Reports a free block whose link is not sound, as freed twice or as overwritten, and dies.
NORETURN NOINLINE COLD void slab_complain(const void *block, const void *caller);

#endif
