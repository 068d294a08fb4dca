/* inherited.h - blocks that the child of a fork frees in slabs from before the fork.
 *
 * Writing a link into such a block would copy its page, which the child shares with its parent. So
 * the block is marked in a separate table until the child needs memory of the class. All functions
 * require the lock of the class, held by depot.c, unless said otherwise.
 */
#ifndef CORE_INHERITED_H
#define CORE_INHERITED_H

#include "base/compiler.h"
#include "pages/page_map.h"

#include <stdbool.h>
#include <stddef.h>

// Called by the only thread of a fork's child: from now on the fast path misses every free of a
// block in a slab from before the fork; see inherited_is_slab.
void inherited_postfork_child(void);

// Some slab may be from before a fork. Any thread.
extern HIDDEN bool g_inherited_any;

// Any thread: true if the chunk at this index belongs to a slab from before the fork.
static inline bool inherited_is_slab(size_t index)
{
    return UNLIKELY(g_inherited_any) && page_map_bin(index) == 0 &&
           chunk_state(chunk_head(page_map_entry(index))) == CHUNK_SLAB;
}

// Marks the block with this index as free; false: it is already marked.
bool inherited_mark(struct chunk *slab, unsigned block);
// Number of marked blocks. Any thread, for inspection.
unsigned inherited_count(const struct chunk *slab);
bool inherited_is_marked(const struct chunk *slab, unsigned block); // any thread, for inspection

// A slab of the class with marked blocks; NULL: there is none.
struct chunk *inherited_find(unsigned sc);
// Returns the marked blocks of a slab to its free list; the fast path of free works for it again.
void inherited_collect(struct chunk *slab);
// Drops the marks of a slab that is about to be freed.
void inherited_forget(struct chunk *slab);

#endif
