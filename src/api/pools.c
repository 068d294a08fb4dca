/* pools.c - the pools of include/myalloc.h: arguments, errno, and the last words for misuse.
 *
 * Owns:       nothing; a struct myalloc_pool is a struct basin.
 * Threads:    any, as the flags of the pool say.
 * Locks:      takes none itself; basin.c below takes LOCK_BASIN.
 * Invariants: POOLS-1  the heap of the thread is busy meanwhile, as in every slow path: a signal
 *             handler that allocates then gets a block of the emergency area.
 */
#include "myalloc.h"

#include "api/report.h"
#include "base/compiler.h"
#include "base/die.h"
#include "heap/basin.h"
#include "heap/view.h"
#include "thread/start.h"
#include "thread/thread.h"

#include <errno.h>

#define BYTES_MAX (1UL << 46) // more than any region

// The basin, and the heap of the thread marked busy in *heap.
static struct basin *enter(struct myalloc_pool *pool, struct heap **heap, const void *caller)
{
    struct basin *basin = (struct basin *)pool;
    if (UNLIKELY(basin == NULL || !basin->is_alive)) {
        die_pool_dead(pool, caller);
    }
    *heap = thread_enter(caller); // POOLS-1
    return basin;
}

static void leave(struct heap *heap)
{
    if (heap != NULL) {
        thread_leave(heap);
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
    struct basin *basin = NULL;
    if (block_bytes <= BYTES_MAX && start_once() == START_SERVING) {
        struct heap *heap = thread_enter(CALLER());
        basin = basin_create(block_bytes, (flags & MYALLOC_POOL_ONE_THREAD) == 0);
        leave(heap);
    }
    return basin != NULL ? (struct myalloc_pool *)basin : fail_with(ENOMEM);
}

EXPORT void *myalloc_pool_alloc(struct myalloc_pool *pool, size_t bytes)
{
    struct heap *heap;
    struct basin *basin = enter(pool, &heap, CALLER());
    bool is_fixed = basin->cell_bytes != 0;
    bool fits = bytes <= (is_fixed ? basin->cell_bytes : BYTES_MAX);
    void *ptr = fits ? basin_take(basin, bytes) : NULL;
    leave(heap);
    if (UNLIKELY(ptr == NULL)) {
        return fail_with(is_fixed && !fits ? EINVAL : ENOMEM);
    }
    return ptr;
}

EXPORT void myalloc_pool_free(struct myalloc_pool *pool, void *block)
{
    struct heap *heap;
    struct basin *basin = enter(pool, &heap, CALLER());
    if (block != NULL) {
        size_t bytes = 0;
        switch (basin_give(basin, block, &bytes)) {
        case TRAY_OK:
            break;
        case TRAY_FREED:
            die_double_free(block, bytes, CALLER());
        case TRAY_INTERIOR:
            die_interior_free(block, bytes, CALLER());
        case TRAY_FOREIGN:
            die_pool_foreign(block, CALLER());
        }
    }
    leave(heap);
}

EXPORT void myalloc_pool_reset(struct myalloc_pool *pool)
{
    struct heap *heap;
    basin_reset(enter(pool, &heap, CALLER()));
    leave(heap);
}

EXPORT void myalloc_pool_destroy(struct myalloc_pool *pool)
{
    struct heap *heap;
    if (pool != NULL) {
        view_peak();
        basin_destroy(enter(pool, &heap, CALLER()));
        leave(heap);
    }
}

EXPORT int myalloc_pool_stats(struct myalloc_pool *pool, struct myalloc_pool_stats *stats,
                              size_t size)
{
    struct heap *heap;
    struct myalloc_pool_stats full;
    basin_stats(enter(pool, &heap, CALLER()), &full);
    leave(heap);
    return report_copy(stats, size, &full, sizeof full);
}
