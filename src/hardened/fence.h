/* fence.h - hardened mode: large and huge blocks between guard pages; freed ones cannot be read,
 * or, when they are short, are zero. Any thread. What finds one written to, dies. */
#ifndef HARDENED_FENCE_H
#define HARDENED_FENCE_H

#include "base/lock.h"
#include "pages/huge.h"
#include "pages/page_map.h"

#include <stdbool.h>
#include <stddef.h>

// Once, before all else. `purges`: the memory of blocks that have waited goes back at once.
void fence_start(bool purges);

// A block of `bytes` at a multiple of `alignment`, zero throughout, with addresses for `room` bytes
// behind its beginning; NULL without memory.
void *fence_take(size_t bytes, size_t room, size_t alignment, const void *caller);

// The block in the span of `head`: where it begins, and its bytes.
static inline char *fence_block(const struct chunk *head)
{
    return head->record;
}

// Bytes of the huge block that begins at `ptr`, 0 when there is none. *is_freed: it waits.
size_t fence_huge_bytes(const void *ptr, bool *is_freed);

// Frees the block in the span of `head`, NULL for the huge block at `ptr`; dies when what is behind
// it was written over. False: there is no such huge block.
bool fence_give(struct chunk *head, void *ptr, const void *caller);

// Resizes without copying: the block, a huge one perhaps moved; NULL when a copy is needed.
void *fence_resize(struct chunk *head, void *ptr, size_t bytes, const void *caller);

// Gives back what waits; bytes.
size_t fence_trim(const void *caller);

// Makes of what huge.h sees in a mapping what the program sees of its block.
void fence_see_huge(struct huge_view *view);
// The same of a size.
size_t fence_huge_bytes_of(size_t usable_bytes);
// Adds the huge blocks that wait, which huge.h takes for live ones.
void fence_huge_waiting(size_t *blocks, size_t *bytes);

void fence_each_lock(lock_visitor *visit); // for a fork

#endif
