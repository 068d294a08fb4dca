/* pools.c - the pools of include/myalloc.h: arguments, errno, and fatal messages for misuse.
 *
 * Owns:       nothing; a struct myalloc_pool is a struct pool.
 * Threads:    any, as the flags of the pool allow.
 * Locks:      takes none itself; pool.c below takes LOCK_POOL.
 * Invariants: POOLS-1  calls into the page heap are inside a slow path: a signal handler that
 *                      allocates meanwhile gets a block of the emergency areas.
 */
#include "myalloc.h"

#include "front/report.h"
#include "base/compiler.h"
#include "base/fatal.h"
#include "pool/pool.h"
#include "inspect/view.h"
#include "front/start.h"
#include "core/thread.h"

#include <errno.h>

#define BYTES_MAX (1UL << 46) // more than any region

static struct pool *pool_of(struct myalloc_pool *handle, const void *caller)
{
    struct pool *pool = (struct pool *)handle;
    if (UNLIKELY(pool == NULL || !pool->is_alive)) {
        fatal_pool_dead(handle, caller);
    }
    return pool;
}

static void leave(bool is_inside)
{
    if (is_inside) {
        thread_leave();
    }
}

static void *fail_with(int error)
{
    errno = error;
    return NULL;
}

EXPORT struct myalloc_pool *myalloc_pool_create(size_t block_bytes, unsigned flags)
{
    if ((flags & ~MYALLOC_POOL_ONE_THREAD) != 0) {
        return fail_with(EINVAL);
    }
    if (start_once() == START_FORWARDING) {
        return fail_with(ENOTSUP);
    }
    struct pool *pool = NULL;
    if (block_bytes <= BYTES_MAX && start_once() == START_SERVING) {
        bool is_inside = thread_enter(CALLER());
        pool = pool_create(block_bytes, (flags & MYALLOC_POOL_ONE_THREAD) == 0);
        leave(is_inside);
    }
    return pool != NULL ? (struct myalloc_pool *)pool : fail_with(ENOMEM);
}

static void *alloc(struct pool *pool, size_t bytes, size_t alignment, const void *caller)
{
    if (UNLIKELY(bytes > (pool->cell_bytes != 0 ? pool->cell_bytes : BYTES_MAX))) {
        return fail_with(pool->cell_bytes != 0 ? EINVAL : ENOMEM);
    }
    void *ptr = pool_allocate(pool, bytes, alignment);
    if (UNLIKELY(ptr == NULL)) {
        bool is_inside = thread_enter(caller);
        ASSERT(thread_is_inside()); // POOLS-1
        ptr = pool_allocate_anew(pool, bytes, alignment);
        leave(is_inside);
    }
    return LIKELY(ptr != NULL) ? ptr : fail_with(ENOMEM);
}

EXPORT void *myalloc_pool_alloc(struct myalloc_pool *handle, size_t bytes)
{
    return alloc(pool_of(handle, CALLER()), bytes, PIECE_UNIT_BYTES, CALLER());
}

EXPORT void *myalloc_pool_alloc_aligned(struct myalloc_pool *handle, size_t alignment, size_t bytes)
{
    struct pool *pool = pool_of(handle, CALLER());
    if (!is_pow2(alignment) ||
        (pool->cell_bytes != 0 && alignment > cell_alignment(pool->cell_bytes))) {
        return fail_with(EINVAL);
    }
    return alignment > BYTES_MAX
               ? fail_with(ENOMEM)
               : alloc(pool, bytes, max_size(alignment, PIECE_UNIT_BYTES), CALLER());
}

static void free_chunk(struct pool_chunk *chunk, const void *caller)
{
    view_peak();
    bool is_inside = thread_enter(caller);
    ASSERT(thread_is_inside()); // POOLS-1
    pool_chunk_free(chunk);
    leave(is_inside);
}

EXPORT void myalloc_pool_free(struct myalloc_pool *handle, void *block)
{
    struct pool *pool = pool_of(handle, CALLER());
    struct pool_chunk *idle = NULL;
    size_t bytes = 0;
    switch (block != NULL ? pool_free(pool, block, &bytes, &idle) : POOL_OK) {
    case POOL_OK:
        break;
    case POOL_FREED:
        fatal_double_free(block, bytes, CALLER());
    case POOL_INTERIOR:
        fatal_interior_free(block, bytes, CALLER());
    case POOL_FOREIGN:
        fatal_pool_foreign(block, CALLER());
    }
    if (UNLIKELY(idle != NULL)) {
        free_chunk(idle, CALLER());
    }
}

EXPORT void myalloc_pool_reset(struct myalloc_pool *handle)
{
    struct pool *pool = pool_of(handle, CALLER());
    bool is_inside = thread_enter(CALLER());
    pool_reset(pool);
    leave(is_inside);
}

EXPORT void myalloc_pool_destroy(struct myalloc_pool *handle)
{
    if (handle != NULL) {
        struct pool *pool = pool_of(handle, CALLER());
        view_peak();
        bool is_inside = thread_enter(CALLER());
        pool_destroy(pool);
        leave(is_inside);
    }
}

EXPORT int myalloc_pool_stats(struct myalloc_pool *handle, struct myalloc_pool_stats *stats,
                              size_t size)
{
    struct myalloc_pool_stats full;
    pool_stats(pool_of(handle, CALLER()), &full);
    return report_copy(stats, size, &full, sizeof full);
}
