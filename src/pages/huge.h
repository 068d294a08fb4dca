/* huge.h - one mapping per block, for blocks too large for the page heap. Any thread. */
#ifndef PAGES_HUGE_H
#define PAGES_HUGE_H

#include "base/lock.h"

#include <stdbool.h>
#include <stddef.h>

struct huge_stats {
    size_t live_blocks, live_bytes, live_bytes_max; // bytes of mappings
    size_t cached_bytes;
    size_t maps, unmaps, reuses, remaps; // times
};

// Of the table for readers of our memory, base/tables.h.
#define HUGE_FIELDS                                                                                \
    .bytes = sizeof(struct huge_stats),                                                            \
    .fields = {offsetof(struct huge_stats, live_blocks), offsetof(struct huge_stats, live_bytes),  \
               offsetof(struct huge_stats, cached_bytes)}

// A block of at least `bytes` at a multiple of `alignment` (a power of two); NULL without memory.
// *clean: zeros are wanted; afterwards: all bytes are zero.
void *huge_allocate(size_t bytes, size_t alignment, bool *clean);

// Usable bytes of the block that begins at `ptr`, 0 when there is none. Lock-free on a hit.
size_t huge_usable_bytes(const void *ptr);

// Frees the block at `ptr`; false when there is none.
bool huge_free(void *ptr);

// Resizes by mremap, moving it when it must; NULL: it stays as it was.
void *huge_resize(void *ptr, size_t bytes);

// What a bad pointer is, for messages: bytes of the freed block that began at `ptr` not long ago,
// or of the live block that holds it inside; 0 neither.
size_t huge_freed_bytes(const void *ptr);
size_t huge_holder_bytes(const void *ptr);

// Called each few seconds: the cache goes when no block was freed since the last time.
void huge_age(void);

// Freed mappings are kept.
bool huge_caches(void);

// Unmaps what is cached; bytes given back.
size_t huge_release_cache(void);

struct huge_stats huge_stats(void);

// Tells the live page of a child about every mapping.
void huge_show(void);

struct huge_view {
    const void *start; // of a block, else of a cached mapping
    size_t bytes;      // usable, else of the mapping
    bool is_cached;
};
// Tells the blocks and what is cached, at most `most`; how many there are.
size_t huge_look(struct huge_view *views, size_t most);

void huge_each_lock(lock_visitor *visit); // for a fork

#endif
