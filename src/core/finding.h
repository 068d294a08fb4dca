/* finding.h - describes what is at an address. */
#ifndef CORE_FINDING_H
#define CORE_FINDING_H

#include "pages/page_map.h"

#include <stddef.h>

enum block_kind {
    BLOCK_NONE, // not in our memory
    BLOCK_SLAB,
    BLOCK_LARGE,
    BLOCK_PLACED, // of a size class, in a span of its own
    BLOCK_HUGE,
    BLOCK_EMERGENCY,
    BLOCK_SLOT,    // of a hardened slab
    BLOCK_GUARD,   // of the pool of guard:N
    BLOCK_GUARDED, // between guard pages, in hardened mode
};

enum block_fault {
    BLOCK_OK,       // a block in use begins here, as far as we can tell
    BLOCK_FREED,    // a block begins or began here, but is free
    BLOCK_INTERIOR, // inside a block in use
    BLOCK_OF_POOL,  // in the memory of a pool of include/myalloc.h
    BLOCK_UNKNOWN,  // not our memory
};

struct block {
    enum block_kind kind;
    enum block_fault fault;
    struct chunk *head; // NULL for huge and emergency blocks, and huge ones between guard pages
    size_t bytes;       // usable; after a fault, of the freed or enclosing block, 0 unknown
};

#endif
