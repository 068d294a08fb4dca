/* map_cache.c - a cache of a few freed mappings, oldest first.
 *
 * Owns:       the cached mappings.
 * Threads:    the holder of LOCK_HUGE.
 * Locks:      takes none; live_add() below takes LOCK_LIVE.
 * Invariants: CACHED-1  `bytes` is the total size of the mappings.
 *
 * Any of them can serve any later request: a longer one is cut, a shorter one extended by mremap,
 * because moving page tables costs a tenth of faulting the pages in.
 */
#include "pages/map_cache.h"

#include "base/check.h"
#include "base/live.h"

#include <stdatomic.h>

static struct {
    struct mapping of[MAP_CACHE_ENTRIES]; // [lock: LOCK_HUGE]
    size_t entries;                       // [lock: LOCK_HUGE]
    _Atomic(size_t) bytes;                // [atomic] written under LOCK_HUGE; CACHED-1
} g_map_cache;

size_t map_cache_bytes(void)
{
    return atomic_load_explicit(&g_map_cache.bytes, memory_order_relaxed);
}

static void count(size_t bytes)
{
    atomic_store_explicit(&g_map_cache.bytes, bytes, memory_order_relaxed);
}

static struct mapping remove_entry(size_t entry)
{
    ASSERT(entry < g_map_cache.entries);
    struct mapping mapping = g_map_cache.of[entry];
    for (size_t i = entry + 1; i < g_map_cache.entries; i++) {
        g_map_cache.of[i - 1] = g_map_cache.of[i];
    }
    ASSERT(map_cache_bytes() >= mapping.bytes); // CACHED-1
    g_map_cache.entries--;
    count(map_cache_bytes() - mapping.bytes);
    live_cut(MYALLOC_LIVE_REGION_CACHED, mapping.start, mapping.bytes);
    return mapping;
}

struct mapping map_cache_take(size_t bytes)
{
    ASSERT(bytes != 0);
    size_t best = MAP_CACHE_ENTRIES;
    for (size_t i = 0; i < g_map_cache.entries; i++) {
        size_t length = g_map_cache.of[i].bytes;
        size_t best_length = best == MAP_CACHE_ENTRIES ? 0 : g_map_cache.of[best].bytes;
        bool is_better =
            best_length < bytes ? length > best_length : length >= bytes && length < best_length;
        best = is_better ? i : best;
    }
    return best == MAP_CACHE_ENTRIES ? (struct mapping){NULL, 0, false} : remove_entry(best);
}

size_t map_cache_put(struct mapping mapping, size_t most, struct mapping *evicted)
{
    size_t gone = 0;
    ASSERT(mapping.bytes != 0);
    if (mapping.bytes > most) {
        evicted[0] = mapping;
        return 1;
    }
    while (g_map_cache.entries == MAP_CACHE_ENTRIES ||
           (g_map_cache.entries != 0 && map_cache_bytes() + mapping.bytes > most)) {
        evicted[gone++] = remove_entry(0);
    }
    g_map_cache.of[g_map_cache.entries++] = mapping;
    count(map_cache_bytes() + mapping.bytes);
    live_add(MYALLOC_LIVE_REGION_CACHED, mapping.start, mapping.bytes);
    ASSERT(map_cache_bytes() <= most);
    return gone;
}

size_t map_cache_empty(struct mapping *evicted)
{
    size_t gone = 0;
    while (g_map_cache.entries != 0) {
        evicted[gone++] = remove_entry(0);
    }
    ASSERT(map_cache_bytes() == 0); // CACHED-1
    return gone;
}

struct mapping map_cache_look(size_t entry)
{
    return entry < g_map_cache.entries ? g_map_cache.of[entry] : (struct mapping){NULL, 0, false};
}
