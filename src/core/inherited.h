/* inherited.h - blocks that a child of a fork frees, in slabs that were there before the fork.
 *
 * To free such a block by a link in it would copy its page, which the child shares with its parent.
 * So it is marked in a table apart, until the child needs memory of the class. All functions are
 * for the holder of the lock of the class (depot.c), unless said otherwise.
 */
#ifndef CORE_INHERITED_H
#define CORE_INHERITED_H

#include "base/compiler.h"
#include "pages/page_map.h"

#include <stdbool.h>
#include <stddef.h>

// In the child of a fork, its only thread: from now on every free of a block of a slab that was
// there before misses, see inherited_is_slab.
void inherited_postfork_child(void);

// Some slab was there before a fork. Any thread.
extern HIDDEN bool g_inherited_any;

// Any thread: the chunk at this index is of a slab that was there before the fork.
static inline bool inherited_is_slab(size_t index)
{
    return UNLIKELY(g_inherited_any) && page_map_bin(index) == 0 &&
           chunk_state(chunk_head(page_map_entry(index))) == CHUNK_SLAB;
}

// Marks the block with this index as free; false: it is so already.
bool inherited_mark(struct chunk *slab, unsigned block);
// Blocks that are marked. Any thread, for looks.
unsigned inherited_count(const struct chunk *slab);
bool inherited_is_marked(const struct chunk *slab, unsigned block); // likewise

// A slab of the class with marked blocks; NULL: there is none.
struct chunk *inherited_find(unsigned sc);
// Puts the marked blocks of a slab home, and lets frees of its blocks hit again.
void inherited_collect(struct chunk *slab);
// Forgets the marks of a slab that goes.
void inherited_forget(struct chunk *slab);

#endif
