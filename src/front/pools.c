/* pools.c - the pools of include/myalloc.h: arguments, errno, and the last words for misuse.
 *
 * Owns:       nothing; a struct myalloc_pool is a struct basin.
 * Threads:    any, as the flags of the pool say.
 * Locks:      takes none itself; basin.c below takes LOCK_BASIN.
 * Invariants: POOLS-1  around the page heap the heap of the thread is busy, as in every slow path:
 *                      a
 *             signal handler that allocates then gets a block of the emergency area.
 */
#include "myalloc.h"

#include "front/report.h"
#include "base/compiler.h"
#include "base/fatal.h"
#include "pool/basin.h"
#include "inspect/view.h"
#include "front/start.h"
#include "core/thread.h"

#include <errno.h>

#define BYTES_MAX (1UL << 46) // more than any region

static struct basin *basin_of(struct myalloc_pool *pool, const void *caller)
{
    struct basin *basin = (struct basin *)pool;
    if (UNLIKELY(basin == NULL || !basin->is_alive)) {
        fatal_pool_dead(pool, caller);
    }
    return basin;
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
    struct basin *basin = NULL;
    if (block_bytes <= BYTES_MAX && start_once() == START_SERVING) {
        bool is_inside = thread_enter(CALLER());
        basin = basin_create(block_bytes, (flags & MYALLOC_POOL_ONE_THREAD) == 0);
        leave(is_inside);
    }
    return basin != NULL ? (struct myalloc_pool *)basin : fail_with(ENOMEM);
}

static void *alloc_anew(struct basin *basin, size_t bytes, const void *caller)
{
    bool is_inside = thread_enter(caller); // POOLS-1
    void *ptr = basin_take_anew(basin, bytes);
    leave(is_inside);
    return ptr != NULL ? ptr : fail_with(ENOMEM);
}

EXPORT void *myalloc_pool_alloc(struct myalloc_pool *pool, size_t bytes)
{
    struct basin *basin = basin_of(pool, CALLER());
    if (UNLIKELY(bytes > (basin->cell_bytes != 0 ? basin->cell_bytes : BYTES_MAX))) {
        return fail_with(basin->cell_bytes != 0 ? EINVAL : ENOMEM);
    }
    void *ptr = basin_take(basin, bytes);
    return LIKELY(ptr != NULL) ? ptr : alloc_anew(basin, bytes, CALLER());
}

static void give_tray(struct tray *tray, const void *caller)
{
    view_peak();
    bool is_inside = thread_enter(caller); // POOLS-1
    tray_give(tray);
    leave(is_inside);
}

EXPORT void myalloc_pool_free(struct myalloc_pool *pool, void *block)
{
    struct basin *basin = basin_of(pool, CALLER());
    struct tray *idle = NULL;
    size_t bytes = 0;
    switch (block != NULL ? basin_give(basin, block, &bytes, &idle) : TRAY_OK) {
    case TRAY_OK:
        break;
    case TRAY_FREED:
        fatal_double_free(block, bytes, CALLER());
    case TRAY_INTERIOR:
        fatal_interior_free(block, bytes, CALLER());
    case TRAY_FOREIGN:
        fatal_pool_foreign(block, CALLER());
    }
    if (UNLIKELY(idle != NULL)) {
        give_tray(idle, CALLER());
    }
}

EXPORT void myalloc_pool_reset(struct myalloc_pool *pool)
{
    struct basin *basin = basin_of(pool, CALLER());
    bool is_inside = thread_enter(CALLER());
    basin_reset(basin);
    leave(is_inside);
}

EXPORT void myalloc_pool_destroy(struct myalloc_pool *pool)
{
    if (pool != NULL) {
        struct basin *basin = basin_of(pool, CALLER());
        view_peak();
        bool is_inside = thread_enter(CALLER());
        basin_destroy(basin);
        leave(is_inside);
    }
}

EXPORT int myalloc_pool_stats(struct myalloc_pool *pool, struct myalloc_pool_stats *stats,
                              size_t size)
{
    struct myalloc_pool_stats full;
    basin_stats(basin_of(pool, CALLER()), &full);
    return report_copy(stats, size, &full, sizeof full);
}
