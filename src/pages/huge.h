/* huge.h - blocks too large for the page heap, each with a mapping of its own. Any thread. */
#ifndef PAGES_HUGE_H
#define PAGES_HUGE_H

#include "base/lock.h"

#include <stdbool.h>
#include <stddef.h>

struct huge_stats {
    size_t live_blocks, live_blocks_max;
    size_t live_bytes, live_bytes_max; // bytes of mappings
    size_t cached_bytes;
    size_t maps, unmaps, reuses, remaps; // times
};

// Fields for the table that describes huge_stats to readers of our memory; see base/tables.h.
#define HUGE_FIELDS                                                                                \
    .bytes = sizeof(struct huge_stats),                                                            \
    .fields = {offsetof(struct huge_stats, live_blocks), offsetof(struct huge_stats, live_bytes),  \
               offsetof(struct huge_stats, cached_bytes)}

// Allocates at least `bytes` at a multiple of `alignment` (a power of two); NULL if out of memory.
// *clean: on entry, zeros are wanted; on return, all bytes are zero.
void *huge_allocate(size_t bytes, size_t alignment, bool *clean);

// Unmaps the cache and all free spans if a request of `bytes` that failed may then be served. True:
// something was unmapped, so that it should be tried again.
bool huge_make_room(size_t bytes);

// Usable bytes of the block that begins at `ptr`; 0: there is none. Lock-free on a hit.
size_t huge_usable_bytes(const void *ptr);

// Frees the block at `ptr`; false: there is none.
bool huge_free(void *ptr);

// Resizes by mremap, which may move the block; NULL: failed, the block is unchanged.
void *huge_resize(void *ptr, size_t bytes);

// For messages about a bad pointer: usable bytes of the block at `ptr` that was freed recently, or
// of the block in use that `ptr` points into; 0: neither.
size_t huge_freed_bytes(const void *ptr);
size_t huge_holder_bytes(const void *ptr);

// Called at most once a second: releases the cache if no block was freed since the last call.
void huge_age(void);

// True if freed mappings are cached.
bool huge_caches(void);

// Unmaps the cached mappings; returns their bytes.
size_t huge_release_cache(void);

struct huge_stats huge_stats(void);

// Adds every mapping to the live page of a child.
void huge_show(void);

struct huge_view {
    const void *start; // of a block, else of a cached mapping
    size_t bytes;      // usable, else of the mapping
    bool is_cached;
};
// Lists up to `most` blocks and cached mappings; returns how many there are.
size_t huge_look(struct huge_view *views, size_t most);

void huge_each_lock(lock_visitor *visit); // for a fork

#endif
