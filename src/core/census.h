/* census.h - counts what is in use by walking the page map, so that no path maintains counters. */
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
        uint64_t handed;      // allocated since the start, where that is counted
    } classes[CLASSES];
    size_t slack_bytes; // hardened mode: counted in live blocks by class, but not usable
    size_t large_blocks, large_bytes;
    size_t pool_chunks, pool_chunk_bytes; // whole chunks of the pools of include/myalloc.h
    size_t slots;
    size_t touched_bytes; // in slabs and large blocks: pages that were carved and not purged
};

// Any thread. Exact while no other thread allocates or frees; otherwise a slab that changes is
// counted in its old state, its new one, or a mixture of both.
void census_take(struct census *census);

// Bytes in the user's hands, except huge blocks and pools.
size_t census_live_bytes(const struct census *census);

#endif
