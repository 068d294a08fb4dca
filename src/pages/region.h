/* region.h - the contiguous range that the heap lives in: the program break, or mappings in its
 * place, inside the window of the page map. All functions need LOCK_PAGE_HEAP, held by span.c. */
#ifndef PAGES_REGION_H
#define PAGES_REGION_H

#include <stdbool.h>
#include <stddef.h>

enum region_kind {
    REGION_BREAK, // grown by sbrk
    REGION_MAPS,  // grown by mmap at the address behind: no break, a full one, or a shared one
};

struct region_stats {
    enum region_kind kind;
    size_t break_bytes;    // ours, below the program break
    size_t map_bytes;      // ours, by mmap
    size_t bytes_max;      // highest sum of both
    size_t grows, shrinks; // times
    size_t foreign;        // times that somebody else had moved the break
};

// Finds the base and starts the page map; false without memory.
bool region_start(bool use_break);

// Adds at least `need` chunks, at most `wish`, in a row: the index of the first and their count
// in *got; 0 when the system refuses. They are zero, and published in the map.
size_t region_grow(size_t need, size_t wish, size_t *got);

// Gives the addresses from chunk `first` up to the end back; false when they cannot be (the
// break moved on, or the range is not at its end).
bool region_shrink(size_t first);

// Unmaps chunks, whole pages: they are CHUNK_NONE already and leave a gap.
void region_punch(size_t first, size_t chunks);

// Maps at least `need` chunks of a gap anew, at most `wish`: the index of the first and their
// count in *got; 0 when no gap is long enough, or the system refuses. They are zero.
size_t region_fill(size_t need, size_t wish, size_t *got);

struct region_stats region_stats(void);

#endif
