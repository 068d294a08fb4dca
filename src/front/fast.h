/* fast.h - the two hot functions; nothing else.
 *
 * Budget: 22 and 24 instructions on the hit path, return included, no frame, no push. Every
 * exceptional case is one test that tail-calls a slow function with the same arguments. Nothing
 * may be added here: statistics, checks and options work by making one of these tests fail.
 */
#ifndef FRONT_FAST_H
#define FRONT_FAST_H

#include "core/cpu_cache.h"
#include "core/size_class.h"
#include "core/thread.h"
#include "pages/page_map.h"

NOINLINE void *api_malloc_slow(size_t bytes);
NOINLINE void api_free_slow(void *ptr);

// True when the slow path must serve a request of `bytes`.
static inline bool fast_is_beyond(size_t bytes)
{
    return cpu_reaches(bytes, &g_fast_bytes);
}

// Pops a cached block for `bytes`; NULL when there is none, or the slow path must serve it.
static inline void *fast_pop(size_t bytes)
{
    if (UNLIKELY(!CONFIG_RSEQ) || UNLIKELY(fast_is_beyond(bytes))) {
        return NULL;
    }
    return rseq_pop_class(t_thread.fast_area, g_small_class_of[bytes]);
}

static inline void *fast_malloc(size_t bytes)
{
    void *block;
    if (UNLIKELY(!CONFIG_RSEQ) || UNLIKELY(fast_is_beyond(bytes))) {
        goto miss;
    }
    RSEQ_POP_OR_MISS(t_thread.fast_area, g_small_class_of[bytes], block);
    return block;
miss:
    return api_malloc_slow(bytes);
}

static inline void fast_free(void *ptr)
{
    size_t index = ((uintptr_t)ptr - g_page_map.base) >> CHUNK_SHIFT;
    if (UNLIKELY(page_map_is_beyond(index))) {
        return api_free_slow(ptr); // NULL, huge, foreign, wild
    }
    // Anything but a slab has bin 0, whose limit is 0.
    if (UNLIKELY(!CONFIG_RSEQ) ||
        UNLIKELY(!rseq_push(t_thread.fast_area, g_page_map.bins[index], ptr))) {
        return api_free_slow(ptr);
    }
}

#endif
