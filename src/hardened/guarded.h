/* guarded.h - hardened mode: large and huge blocks between guard pages; freed ones are unreadable
 * or, if short, zero. Any thread. A function that finds a freed block modified dies. */
#ifndef HARDENED_GUARDED_H
#define HARDENED_GUARDED_H

#include "pages/huge.h"
#include "pages/page_map.h"

#include <stdbool.h>
#include <stddef.h>

// Allocates `bytes` at a multiple of `alignment`, all zero, with address space for `room` bytes in
// all; NULL when out of memory.
void *guarded_allocate(size_t bytes, size_t room, size_t alignment, const void *caller);

// The start of the block in the span of `head`.
static inline char *guarded_block(const struct chunk *head)
{
    return head->record;
}

// Bytes of the huge block that begins at `ptr`, 0 when there is none. *is_freed: it is in
// quarantine.
size_t guarded_huge_bytes(const void *ptr, bool *is_freed);

// Frees the block in the span of `head`, or the huge block at `ptr` if `head` is NULL; dies when
// the canary after it was overwritten. False: there is no such huge block.
bool guarded_free(struct chunk *head, void *ptr, const void *caller);

// Resizes without copying; returns the block (a huge one possibly moved), or NULL when a copy is
// needed.
void *guarded_resize(struct chunk *head, void *ptr, size_t bytes, const void *caller);

// Converts a mapping, as huge.h sees it, to its user block, without guard pages.
void guarded_see_huge(struct huge_view *view);
// The same for a size.
size_t guarded_huge_bytes_of(size_t usable_bytes);

#endif
