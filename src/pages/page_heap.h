/* page_heap.h - allocates and frees spans for slabs and large blocks: empties caches before it
 * refuses memory, and purges when too much is free. Any thread; no lock above LOCK_HUGE held. */
#ifndef PAGES_PAGE_HEAP_H
#define PAGES_PAGE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

// span_allocate that gives up cached mappings before it fails.
size_t page_heap_allocate(size_t length, size_t alignment, bool *clean);
// The same for what will be written to all over: blocks of slabs, and what grows.
size_t page_heap_allocate_dense(size_t length, bool *clean);
// Looks at the clock: gives back what nobody used for a second. For slow paths, now and then.
bool page_heap_tick(void);
// True once after most of the memory in use was freed: what lies in caches should follow.
bool page_heap_has_ended(void);
// span_free, then a purge when too much is free.
void page_heap_free(size_t index, size_t length);
// As page_heap_free, for a large block, but not at once: in its place the one before the last goes.
// Who still uses a freed block, or frees it again, does not meet its next user.
void page_heap_free_late(size_t index, size_t length);
// Gives back what waits; true when something did.
bool page_heap_free_waiting(void);

#endif
