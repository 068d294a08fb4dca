/* map_cache.h - caches freed mappings of huge blocks for reuse. All functions require LOCK_HUGE,
 * held by huge.c, except map_cache_bytes(). */
#ifndef PAGES_MAP_CACHE_H
#define PAGES_MAP_CACHE_H

#include "base/config.h"
#include "pages/huge_index.h"

#include <stdbool.h>
#include <stddef.h>

// Takes the shortest mapping of at least `bytes`, or else the longest; start NULL: there is none.
struct mapping map_cache_take(size_t bytes);

// Caches a mapping within a limit of `most` bytes. Returns how many mappings were evicted, perhaps
// this one; they are in *evicted, which has room for MAP_CACHE_ENTRIES + 1.
size_t map_cache_put(struct mapping mapping, size_t most, struct mapping *evicted);

// Empties the cache into *evicted, at most MAP_CACHE_ENTRIES; returns how many.
size_t map_cache_empty(struct mapping *evicted);

// The cached mappings by index, for inspection; start NULL: no more.
struct mapping map_cache_look(size_t entry);

// Total bytes of the cached mappings. Any thread, without the lock.
size_t map_cache_bytes(void);

#define MAP_CACHE_ENTRIES (CONFIG_TINY ? 2U : 32U)

#endif
