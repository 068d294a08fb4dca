/* span.h - allocates, frees, extends in place and coalesces spans of chunks.
 *
 * All functions take LOCK_PAGE_HEAP themselves and may be called from any thread.
 */
#ifndef PAGES_SPAN_H
#define PAGES_SPAN_H

#include "base/lock.h"
#include "pages/region.h"

#include <stdbool.h>
#include <stddef.h>

struct span_stats {
    size_t used_chunks;     // handed out
    size_t used_chunks_max; // since the start
    size_t free_chunks;
    size_t dirty_chunks; // free, perhaps resident
    size_t free_spans;
    size_t purges; // madvise calls
    size_t purged_bytes;
    struct region_stats region;
};

bool span_start(bool use_break);

// Allocates a span that starts at a multiple of `alignment` chunks (a power of two) in the address
// space; 0 if out of memory. *clean: all bytes are zero. `is_dense`: all of it will be written to,
// so that huge pages are worthwhile.
size_t span_allocate(size_t length, size_t alignment, bool is_dense, bool *clean);

// Frees a span and coalesces it with its free neighbours.
void span_free(size_t index, size_t length);

// Extends a span in use by `more` chunks: from the free neighbour, or by growing the region.
bool span_extend(size_t index, size_t length, size_t more, bool *clean);

// Purges dirty free chunks, the highest first: at most PURGE_STEP_BYTES, or a whole huge page.
// Returns the bytes purged. `splits`: also parts of huge pages, which then become small pages.
size_t span_purge_step(bool splits);
// Purges the next unit from *unit on that is a huge page and dirty as a whole; sets *unit to the
// one behind it. False: there is none.
bool span_purge_unit(size_t *unit);

// Called before single pages in these chunks are purged: huge pages there become small ones.
void span_refuse_huge(size_t index, size_t length);

// Trims the free span at the end of the region down to `keep_bytes`, lowering the break. Returns
// the bytes released.
size_t span_trim(size_t keep_bytes);

// When address space is short (RLIMIT_AS): unmaps long free spans. Returns the bytes released.
size_t span_release_space(void);

// Bytes of the free span at the end of the region.
size_t span_end_free_bytes(void);

// Cheap reads without the lock, to decide whether to purge; span_free_bytes() takes the lock.
size_t span_dirty_bytes(void);
size_t span_used_bytes(void);
size_t span_free_bytes(void);
// Chunks purged, of those the chunks allocated again, and of these the ones on small pages, since
// the start.
struct span_refaults {
    size_t purged, retaken, on_small_pages;
};
struct span_refaults span_refaults(void);

struct span_stats span_stats(void);
// Walks all spans and verifies every invariant; dies if one fails.
void span_check(void);

// Between the two calls no memory of the region is allocated, freed, or unmapped.
void span_hold(void);
void span_let_go(void);

void span_each_lock(lock_visitor *visit); // for a fork

#endif
