/* transfer.c - pools of batches between threads.
 *
 * Owns:       the batches of each class, as a stack.
 * Threads:    any.
 * Locks:      LOCK_TRANSFER, one per class, only ever tried.
 * Invariants: TRANSFER-1  idle <= depth: the lowest `idle` batches were not touched in this period.
 */
#include "heap/transfer.h"

#include "base/check.h"
#include "base/lock.h"

#include <string.h>

static struct {
    struct ALIGNED(64) pool {
        struct lock lock;
        _Atomic(unsigned) depth; // [atomic] batches; written under the lock
        unsigned idle;           // [lock: LOCK_TRANSFER] TRANSFER-1
        unsigned stale;          // [lock: LOCK_TRANSFER] idle batches of the last period
        size_t blocks;           // [lock: LOCK_TRANSFER]
        struct batch batches[TRANSFER_BATCHES];
    } pools[SMALL_CLASSES];
} g_transfer = {.pools = {[0 ... SMALL_CLASSES - 1] = {.lock = LOCK_INIT(LOCK_TRANSFER)}}};

static unsigned pool_depth(struct pool *pool)
{
    return atomic_load_explicit(&pool->depth, memory_order_relaxed);
}

static void pool_set_depth(struct pool *pool, unsigned depth)
{
    atomic_store_explicit(&pool->depth, depth, memory_order_relaxed);
}

bool transfer_put(unsigned class, struct batch batch)
{
    ASSERT(batch.head != NULL);
    struct pool *pool = &g_transfer.pools[class];
    if (pool_depth(pool) == TRANSFER_BATCHES || !lock_try_acquire(&pool->lock)) {
        return false;
    }
    unsigned depth = pool_depth(pool);
    bool fits = depth < TRANSFER_BATCHES;
    if (fits) {
        pool->batches[depth] = batch;
        pool->blocks += batch.count;
        pool_set_depth(pool, depth + 1);
    }
    lock_release(&pool->lock);
    return fits;
}

// The batch at `at`, out of the stack.
static struct batch pool_remove_locked(struct pool *pool, unsigned at)
{
    struct batch batch = pool->batches[at];
    unsigned depth = pool_depth(pool) - 1;
    for (unsigned i = at; i < depth; i++) {
        pool->batches[i] = pool->batches[i + 1];
    }
    pool->blocks -= batch.count;
    pool_set_depth(pool, depth);
    pool->idle = pool->idle < depth ? pool->idle : depth; // TRANSFER-1
    return batch;
}

struct batch transfer_take(unsigned class)
{
    struct pool *pool = &g_transfer.pools[class];
    struct batch batch = {NULL, 0};
    if (pool_depth(pool) == 0 || !lock_try_acquire(&pool->lock)) {
        return batch;
    }
    unsigned depth = pool_depth(pool);
    if (depth != 0) {
        batch = pool_remove_locked(pool, depth - 1);
    }
    lock_release(&pool->lock);
    return batch;
}

struct batch transfer_take_stale(unsigned class)
{
    struct pool *pool = &g_transfer.pools[class];
    struct batch batch = {NULL, 0};
    if (pool_depth(pool) == 0 || !lock_try_acquire(&pool->lock)) {
        return batch;
    }
    if (pool->stale != 0 && pool_depth(pool) != 0) {
        batch = pool_remove_locked(pool, 0); // the oldest lies at the bottom
        pool->stale--;
    }
    lock_release(&pool->lock);
    return batch;
}

void transfer_sweep(unsigned class)
{
    struct pool *pool = &g_transfer.pools[class];
    if (!lock_try_acquire(&pool->lock)) {
        return;
    }
    pool->stale = pool->idle;
    pool->idle = pool_depth(pool);
    lock_release(&pool->lock);
}

size_t transfer_count(unsigned class)
{
    struct pool *pool = &g_transfer.pools[class];
    size_t blocks = 0;
    if (lock_try_acquire(&pool->lock)) {
        blocks = pool->blocks;
        lock_release(&pool->lock);
    }
    return blocks;
}

void transfer_look(unsigned class, struct batch *batches)
{
    struct pool *pool = &g_transfer.pools[class];
    if (lock_try_acquire(&pool->lock)) {
        memcpy(batches, pool->batches, pool_depth(pool) * sizeof *batches);
        lock_release(&pool->lock);
    }
}

void transfer_prefork(void)
{
    for (unsigned i = 0; i < SMALL_CLASSES; i++) {
        lock_acquire_for_fork(&g_transfer.pools[i].lock);
    }
}

void transfer_postfork_parent(void)
{
    for (unsigned i = 0; i < SMALL_CLASSES; i++) {
        lock_release_after_fork(&g_transfer.pools[i].lock);
    }
}

void transfer_postfork_child(void)
{
    for (unsigned i = 0; i < SMALL_CLASSES; i++) {
        lock_init(&g_transfer.pools[i].lock, LOCK_TRANSFER);
    }
}
