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
NOINLINE void api_free_event(struct chunk *slab);

// The block at hand for at most SMALL_BYTES_MAX bytes; NULL when there is none, or when it was
// freed twice in a row: what links to itself is one or the other.
static inline void *fast_pop(size_t bytes)
{
    void **bin = &t_cache.bins[g_small_class_of[bytes]];
    void *block = *bin;
    void *link = block_link(block);
    if (UNLIKELY(link == block)) {
        return NULL;
    }
    *bin = link;
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
    size_t index = ((uintptr_t)ptr - g_page_map.base) >> CHUNK_SHIFT;
    if (UNLIKELY(page_map_is_beyond(index))) {
        return api_free_slow(ptr); // NULL, huge, foreign, wild
    }
    struct chunk *slab = &g_page_map.entries[index];
    struct heap *heap = chunk_owner(slab);
    if (UNLIKELY(heap != t_cache.self)) {
        return api_free_slow(ptr); // another thread's, medium, large, or already free
    }
    size_t class = slab->class;
    if (LIKELY(--heap->room[class] >= 0)) { // for the next malloc, while it is warm
        block_set_link(ptr, t_cache.bins[class]);
        t_cache.bins[class] = ptr;
        return;
    }
    block_set_link(ptr, slab->free);
    slab->free = ptr;
    if (UNLIKELY(--slab->left == 0)) {
        return api_free_event(slab);
    }
}

#endif
