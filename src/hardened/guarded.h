/* guarded.h - hardened mode: large and huge blocks between guard pages; freed ones cannot be read,
 * or, when they are short, are zero. Any thread. What finds one written to, dies. */
#ifndef HARDENED_GUARDED_H
#define HARDENED_GUARDED_H

#include "pages/huge.h"
#include "pages/page_map.h"

#include <stdbool.h>
#include <stddef.h>

// A block of `bytes` at a multiple of `alignment`, zero throughout, with addresses for `room` bytes
// behind its beginning; NULL without memory.
void *guarded_allocate(size_t bytes, size_t room, size_t alignment, const void *caller);

// The block in the span of `head`: where it begins, and its bytes.
static inline char *guarded_block(const struct chunk *head)
{
    return head->record;
}

// Bytes of the huge block that begins at `ptr`, 0 when there is none. *is_freed: it is in
// quarantine.
size_t guarded_huge_bytes(const void *ptr, bool *is_freed);

// Frees the block in the span of `head`, NULL for the huge block at `ptr`; dies when what is behind
// it was written over. False: there is no such huge block.
bool guarded_free(struct chunk *head, void *ptr, const void *caller);

// Resizes without copying: the block, a huge one perhaps moved; NULL when a copy is needed.
void *guarded_resize(struct chunk *head, void *ptr, size_t bytes, const void *caller);

// Converts a mapping, as huge.h sees it, to its user block, without guard pages.
void guarded_see_huge(struct huge_view *view);
// The same of a size.
size_t guarded_huge_bytes_of(size_t usable_bytes);

#endif
