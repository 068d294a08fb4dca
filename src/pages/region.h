/* region.h - the contiguous range of the heap: below the program break, or mapped in its place,
 * inside the window of the page map. All functions require LOCK_PAGE_HEAP, held by span.c. */
#ifndef PAGES_REGION_H
#define PAGES_REGION_H

#include <stdbool.h>
#include <stddef.h>

enum region_kind {
    REGION_BREAK, // grown by sbrk
    REGION_MAPS,  // grown by mmap at its end: no break, a full one, or a shared one
};

struct region_stats {
    enum region_kind kind;
    size_t break_bytes;    // ours, below the program break
    size_t map_bytes;      // ours, by mmap
    size_t bytes_max;      // highest sum of both
    size_t grows, shrinks; // times
    size_t foreign;        // times that somebody else had moved the break
};

// Finds the base and starts the page map; false: out of memory.
bool region_start(bool use_break);

// Adds at least `need` and at most `wish` contiguous chunks. Returns the index of the first, and
// their count in *got; 0: the system refuses. They are zero, and published in the map.
size_t region_grow(size_t need, size_t wish, size_t *got);

// Releases the addresses from chunk `first` to the end; false: not possible (others moved the
// break, or the range is not at the end).
bool region_shrink(size_t first);

// Unmaps chunks, in whole pages, and records the gap; they must be CHUNK_NONE already.
void region_punch(size_t first, size_t chunks);

// Maps at least `need` and at most `wish` chunks of a gap again. Returns the index of the first,
// and their count in *got; 0: no gap is long enough, or the system refuses. They are zero.
size_t region_fill(size_t need, size_t wish, size_t *got);

struct region_stats region_stats(void);

#endif
