/* page_heap.h - allocates and frees spans for slabs and large blocks: releases caches before an
 * allocation fails, and purges when too much is free. Any thread; no lock above LOCK_HUGE held. */
#ifndef PAGES_PAGE_HEAP_H
#define PAGES_PAGE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

// span_allocate, but releases waiting spans and cached mappings before it fails.
size_t page_heap_allocate(size_t length, size_t alignment, bool *clean);
// The same for memory that will be written to all over: blocks of slabs, blocks that grow, and very
// large ones.
size_t page_heap_allocate_dense(size_t length, bool *clean);
// Reads the clock, and purges what stayed unused for a second. Called now and then by slow paths.
// True when such a window has ended.
bool page_heap_tick(void);
// True while much free memory is kept although little is in use: then it should be called for each
// malloc. It purges if the program is seen to go on with little.
bool page_heap_watch(void);
// span_free, then a purge if too much is free.
void page_heap_free(size_t index, size_t length);
// As page_heap_free, for a large block, but delayed: frees the span given two calls before instead.
// So a use after free, or a double free, does not hit the next owner.
void page_heap_free_late(size_t index, size_t length);
// Frees all waiting spans; true if there were any.
bool page_heap_free_waiting(void);

#endif
