/* dirty.h - which free chunks may be resident: a bit a chunk, in the page map. Everything needs
 * LOCK_PAGE_HEAP, held by span.c. */
#ifndef PAGES_DIRTY_H
#define PAGES_DIRTY_H

#include <stdbool.h>
#include <stddef.h>

// Counts the dirty chunks of a range, and marks it all dirty or all clean.
size_t dirty_exchange(size_t index, size_t length, bool dirty);

bool dirty_is_all(size_t index, size_t length);
bool dirty_is_none(size_t index, size_t length);

// The highest dirty chunks in a row below `end`, at most PURGE_STEP_BYTES of them: the index of the
// first, and their count; 0 when there are none.
size_t dirty_highest_below(size_t end, size_t *count);

#endif
