/* run.h - runs of chunks, free and in use: taking, giving, growing in place, coalescing.
 *
 * All functions take LOCK_RUN themselves and may be called from any thread.
 */
#ifndef ARENA_RUN_H
#define ARENA_RUN_H

#include "arena/region.h"

#include <stdbool.h>
#include <stddef.h>

struct run_stats {
    size_t used_chunks;     // handed out
    size_t used_chunks_max; // since the start
    size_t free_chunks;
    size_t dirty_chunks; // free, perhaps resident
    size_t free_runs;
    size_t purges; // madvise calls
    size_t purged_bytes;
    struct region_stats region;
};

bool run_start(bool use_break);

// A run whose first chunk is at a multiple of `alignment` chunks (a power of two) in the
// address space; 0 without memory. *clean: all bytes are zero. Without `may_grow` the break stays.
size_t run_take(size_t length, size_t alignment, bool may_grow, bool *clean);

// Gives a run back; its neighbours are joined with it.
void run_give(size_t index, size_t length);

// Adds `more` chunks behind a run in use: from the free neighbour, or over the break.
bool run_extend(size_t index, size_t length, size_t more, bool *clean);

// Purges the highest dirty free chunks, at most PURGE_STEP_BYTES of them; bytes given back.
size_t run_purge_step(void);

// Lowers the break over a free run at its end of more than `keep_bytes`; bytes given back.
size_t run_trim(size_t keep_bytes);

// When addresses are short (RLIMIT_AS): unmaps long free runs for good; bytes given back.
size_t run_release_space(void);

// Bytes of the free run at the end of the region.
size_t run_end_free_bytes(void);

// Cheap looks without the lock, for the decision whether to purge.
size_t run_dirty_bytes(void);
size_t run_used_bytes(void);
// Chunks purged, and chunks purged and then taken again, since the start.
void run_refaults(size_t *purged, size_t *retaken);

struct run_stats run_stats(void);
// Walks all runs and verifies every invariant; dies otherwise.
void run_check(void);

// Between the two no memory of the region is taken, given back, or unmapped.
void run_hold(void);
void run_let_go(void);

void run_prefork(void);
void run_postfork_parent(void);
void run_postfork_child(void);

#endif
