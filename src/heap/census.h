/* census.h - counts what is in use by walking the map: no counter stands on any path for it. */
#ifndef HEAP_CENSUS_H
#define HEAP_CENSUS_H

#include "base/config.h"
#include "heap/heap_data.h"

#include <stddef.h>
#include <stdint.h>

struct census {
    struct census_class {
        size_t slabs;
        size_t live_blocks;   // in the user's hands
        size_t cached_blocks; // free, in bins, magazines, foreign lists and transfer pools
        uint64_t handed;      // given since the start, and what lies in bins of others
    } classes[CLASSES];
    size_t slack_bytes; // hardened mode: of live blocks as their class counts them, but not theirs
    size_t large_blocks, large_bytes;
    size_t tray_count, tray_bytes; // of the pools of include/myalloc.h, whole
    size_t heaps, heaps_bound;
};

// Any thread. Exact while no other thread allocates or frees; blocks in other threads' bins count
// as live. `own` is the caller's heap or NULL.
void census_take(struct census *census, const struct heap *own);

// Bytes in the user's hands, but for huge blocks and pools.
size_t census_live_bytes(const struct census *census);

#endif
