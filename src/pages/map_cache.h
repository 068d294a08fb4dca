/* map_cache.h - freed mappings of huge blocks that wait for the next one. Everything needs
 * LOCK_HUGE, held by huge.c, but for map_cache_bytes(). */
#ifndef PAGES_MAP_CACHE_H
#define PAGES_MAP_CACHE_H

#include "base/config.h"
#include "pages/huge_index.h"

#include <stdbool.h>
#include <stddef.h>

// The shortest mapping of at least `bytes`, else the longest; start NULL when there is none.
struct mapping map_cache_take(size_t bytes);

// Files a mapping, as long as `most` bytes are not exceeded; what must go in its place comes back
// in *evicted (MAP_CACHE_ENTRIES + 1 of them; also the mapping itself): how many.
size_t map_cache_put(struct mapping mapping, size_t most, struct mapping *evicted);

// Takes everything out, at most MAP_CACHE_ENTRIES: how many.
size_t map_cache_empty(struct mapping *evicted);

// One by one, for looks; start NULL: no more.
struct mapping map_cache_look(size_t entry);

// Bytes of all of them. Any thread, without the lock.
size_t map_cache_bytes(void);

#define MAP_CACHE_ENTRIES (CONFIG_TINY ? 2U : 32U)

#endif
