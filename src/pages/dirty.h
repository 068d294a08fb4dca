/* dirty.h - which free chunks may be resident: one bit per chunk, in the page map. All functions
 * require LOCK_PAGE_HEAP, held by span.c. */
#ifndef PAGES_DIRTY_H
#define PAGES_DIRTY_H

#include <stdbool.h>
#include <stddef.h>

// Marks a range as all dirty or all clean; returns how many of its chunks were dirty.
size_t dirty_exchange(size_t index, size_t length, bool dirty);

bool dirty_is_all(size_t index, size_t length);
bool dirty_is_none(size_t index, size_t length);

// No chunk from here on is dirty: where a search downwards begins.
size_t dirty_end(void);

// Finds the highest run of dirty chunks below `end`, at most PURGE_STEP_BYTES of it: returns the
// index of the first, and their count, which is 0 if there are none.
size_t dirty_highest_below(size_t end, size_t *count);

#endif
