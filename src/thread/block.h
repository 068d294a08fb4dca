/* block.h - one block of any tier, for the calling thread: find, take, give, resize. */
#ifndef THREAD_BLOCK_H
#define THREAD_BLOCK_H

#include "map/granule_map.h"

#include <stdbool.h>
#include <stddef.h>

enum block_kind {
    BLOCK_NONE, // not in our memory
    BLOCK_SMALL,
    BLOCK_MEDIUM,
    BLOCK_LARGE,
    BLOCK_HUGE,
    BLOCK_EMERGENCY,
};

enum block_fault {
    BLOCK_OK,       // a block in use begins here, as far as we can know
    BLOCK_FREED,    // one began here, or would, but is free
    BLOCK_INTERIOR, // inside a block in use
    BLOCK_UNKNOWN,  // nothing of ours
};

struct block {
    enum block_kind kind;
    enum block_fault fault;
    struct granule *head; // NULL for huge and emergency blocks
    size_t bytes;         // usable; of the freed or holding block after a fault, 0 unknown
};

// What stands at `ptr`; never dereferences it.
struct block block_find(const void *ptr);

// A block of at least `bytes` at a multiple of `alignment` (a power of two); NULL without memory.
// *clean: all bytes are zero.
void *block_take(size_t bytes, size_t alignment, bool *clean, const void *caller);

// The usual case of malloc behind an empty bin: a refill, or a medium block; NULL: take the long
// way.
void *block_take_usual(size_t bytes, const void *caller);

// Frees `ptr` (not NULL); what is not a block in use is reported, see block_complain.
void block_give(void *ptr, const void *caller);

// Resizes without copying: the block, perhaps moved; NULL when a copy is needed.
void *block_resize(void *ptr, const struct block *block, size_t bytes, const void *caller);

// Dies for what no allocator can have returned; other foreign pointers as the options say.
void block_complain(void *ptr, const struct block *block, const void *caller);

// The countdown of a slab of this thread ran down.
void block_slab_event(struct granule *slab);

// malloc_trim: everything free that this thread can reach goes back; true when something did.
bool block_trim(size_t pad_bytes, const void *caller);

#endif
