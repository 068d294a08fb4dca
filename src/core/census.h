/* census.h - counts what is in use by walking the map: no counter stands on any path for it. */
#ifndef CORE_CENSUS_H
#define CORE_CENSUS_H

#include "base/config.h"

#include <stddef.h>
#include <stdint.h>

struct census {
    struct census_class {
        size_t slabs;
        size_t live_blocks;   // in the user's hands
        size_t cached_blocks; // free, in magazines of slots and depots
        uint64_t handed;      // given since the start, where that is counted
    } classes[CLASSES];
    size_t slack_bytes; // hardened mode: of live blocks as their class counts them, but not theirs
    size_t large_blocks, large_bytes;
    size_t pool_chunks, pool_chunk_bytes; // of the pools of include/myalloc.h, whole
    size_t slots;
    size_t touched_bytes; // of slabs and large blocks: pages that were carved, and not purged
};

// Any thread. Exact while no other thread allocates or frees; else a slab that changes is counted
// as it was before, or after, or by the class of one and the blocks of the other.
void census_take(struct census *census);

// Bytes in the user's hands, but for huge blocks and pools.
size_t census_live_bytes(const struct census *census);

#endif
