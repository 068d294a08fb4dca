/* fast.h - the two hot functions; nothing else.
 *
 * Budget: 12 and 18 instructions to the return on the hit path, no frame, no push. Every
 * exceptional case is one test that tail-calls a slow function with the same arguments. Nothing
 * may be added here: statistics, checks and options work by making one of these tests fail.
 */
#ifndef API_FAST_H
#define API_FAST_H

#include "heap/slab.h"
#include "thread/thread.h"

NOINLINE void *api_malloc_slow(size_t bytes);
NOINLINE void api_free_slow(void *ptr);
NOINLINE void api_free_event(struct granule *slab);

// The block at hand for at most SMALL_BYTES_MAX bytes; NULL when there is none.
static inline void *fast_pop(size_t bytes)
{
    void **bin = &t_cache.bins[g_small_class_of[bytes]];
    void *block = *bin;
    if (LIKELY(block != NULL)) {
        *bin = block_next(block);
    }
    return block;
}

static inline void *fast_malloc(size_t bytes)
{
    if (LIKELY(bytes <= SMALL_BYTES_MAX)) {
        void *block = fast_pop(bytes);
        if (LIKELY(block != NULL)) {
            return block;
        }
    }
    return api_malloc_slow(bytes);
}

static inline void fast_free(void *ptr)
{
    // relaxed: a block that reached its user was published before; see granule_map_publish
    size_t granules = atomic_load_explicit(&g_granule_map.granules, memory_order_relaxed);
    size_t index = ((uintptr_t)ptr - g_granule_map.base) >> GRANULE_SHIFT;
    if (UNLIKELY(index >= granules)) {
        return api_free_slow(ptr); // NULL, huge, foreign, wild
    }
    struct granule *slab = &g_granule_map.entries[index];
    if (UNLIKELY(granule_owner(slab) != t_cache.self)) {
        return api_free_slow(ptr); // another thread's, medium, large, or already free
    }
    block_set_next(ptr, slab->free);
    slab->free = ptr;
    if (UNLIKELY(--slab->left == 0)) {
        return api_free_event(slab);
    }
}

#endif
