/* span.h - spans of chunks, free and in use: taking, giving, growing in place, coalescing.
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

// A span whose first chunk is at a multiple of `alignment` chunks (a power of two) in the
// address space; 0 without memory. *clean: all bytes are zero. `is_dense`: all of it will be
// written to, so that huge pages may serve.
size_t span_allocate(size_t length, size_t alignment, bool is_dense, bool *clean);

// Gives a span back; its neighbours are joined with it.
void span_free(size_t index, size_t length);

// Adds `more` chunks behind a span in use: from the free neighbour, or over the break.
bool span_extend(size_t index, size_t length, size_t more, bool *clean);

// Purges dirty free chunks, the highest first, at most PURGE_STEP_BYTES of them, or a whole huge
// page; bytes given back. Parts of huge pages only when it `splits`: they come back as small pages.
size_t span_purge_step(bool splits);

// Single pages in these chunks are about to be purged: huge pages there become small ones.
void span_refuse_huge(size_t index, size_t length);

// Lowers the break over a free span at its end of more than `keep_bytes`; bytes given back.
size_t span_trim(size_t keep_bytes);

// When addresses are short (RLIMIT_AS): unmaps long free spans for good; bytes given back.
size_t span_release_space(void);

// Bytes of the free span at the end of the region.
size_t span_end_free_bytes(void);

// Cheap looks without the lock, for the decision whether to purge.
size_t span_dirty_bytes(void);
size_t span_used_bytes(void);
size_t span_free_bytes(void);
// Chunks purged, and chunks purged and then taken again, since the start.
void span_refaults(size_t *purged, size_t *retaken);

struct span_stats span_stats(void);
// Walks all spans and verifies every invariant; dies otherwise.
void span_check(void);

// Between the two no memory of the region is taken, given back, or unmapped.
void span_hold(void);
void span_let_go(void);

void span_each_lock(lock_visitor *visit); // for a fork

#endif
