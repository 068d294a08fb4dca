/* pool.c - small slabs without an owner.
 *
 * Owns:       the free lists and links of POOLED slabs.
 * Threads:    any.
 * Locks:      LOCK_POOL around everything.
 * Invariants: POOL-1  a slab is POOLED and without an owner exactly while it is on a list here.
 *             POOL-2  a pooled slab has blocks in use; one that has none leaves at once.
 */
#include "heap/pool.h"

#include "base/lock.h"
#include "heap/slab.h"

#define LOOKS 8 // slabs compared for the fullest

static struct {
    struct lock lock;
    _Atomic(uint32_t) heads[SMALL_CLASSES]; // [atomic] written under LOCK_POOL; 0 none
} g_pool = {.lock = LOCK_INIT(LOCK_POOL)};

static uint32_t pool_head(unsigned class)
{
    return atomic_load_explicit(&g_pool.heads[class], memory_order_relaxed);
}

static void pool_remove_locked(struct chunk *slab)
{
    if (slab->next != 0) {
        page_map_entry(slab->next)->prev = slab->prev;
    }
    if (slab->prev != 0) {
        page_map_entry(slab->prev)->next = slab->next;
    } else {
        atomic_store_explicit(&g_pool.heads[slab->class], slab->next, memory_order_relaxed);
    }
    slab->prev = 0;
    slab->next = 0;
}

void pool_put(struct chunk *slab)
{
    ASSERT(!slab_is_idle(slab)); // POOL-2
    uint32_t index = page_map_index(slab);
    lock_acquire(&g_pool.lock);
    slab_arm(slab, slab_free_count(slab), SLAB_ARM_NEVER);
    slab->prev = 0;
    slab->next = pool_head(slab->class);
    if (slab->next != 0) {
        page_map_entry(slab->next)->prev = index;
    }
    atomic_store_explicit(&g_pool.heads[slab->class], index, memory_order_relaxed);
    chunk_set_state(slab, CHUNK_POOLED);
    slab_set_owner(slab, NULL); // POOL-1
    lock_release(&g_pool.lock);
}

struct chunk *pool_take(unsigned class, struct heap *heap)
{
    if (pool_head(class) == 0) {
        return NULL;
    }
    struct chunk *fullest = NULL;
    lock_acquire(&g_pool.lock);
    uint32_t index = pool_head(class);
    for (int i = 0; i < LOOKS && index != 0; i++) {
        struct chunk *slab = page_map_entry(index);
        if ((slab->listed != 0 || slab->purged != 0) &&
            (fullest == NULL || slab->listed < fullest->listed)) {
            fullest = slab;
        }
        index = slab->next;
    }
    if (fullest != NULL) {
        pool_remove_locked(fullest);
        chunk_set_state(fullest, CHUNK_ACTIVE);
        slab_set_owner(fullest, heap); // POOL-1
    }
    lock_release(&g_pool.lock);
    return fullest;
}

enum pool_result pool_free_block(struct chunk *slab, void *ptr)
{
    enum pool_result result = POOL_CLAIMED;
    lock_acquire(&g_pool.lock);
    if (chunk_state(slab) == CHUNK_POOLED) {
        slab_put_list(slab, ptr, ptr, 1);
        result = POOL_FREED;
        if (slab_is_idle(slab)) { // POOL-2
            pool_remove_locked(slab);
            slab_close(slab);
            result = POOL_EMPTIED;
        }
    }
    lock_release(&g_pool.lock);
    return result;
}

size_t pool_purge_pages(void)
{
    size_t purged = 0;
    lock_acquire(&g_pool.lock);
    for (unsigned i = 0; i < SMALL_CLASSES; i++) {
        for (uint32_t index = pool_head(i); index != 0; index = page_map_entry(index)->next) {
            purged += slab_purge_pages(page_map_entry(index));
        }
    }
    lock_release(&g_pool.lock);
    return purged;
}

void pool_prefork(void)
{
    lock_acquire_for_fork(&g_pool.lock);
}

void pool_postfork_parent(void)
{
    lock_release_after_fork(&g_pool.lock);
}

void pool_postfork_child(void)
{
    lock_init(&g_pool.lock, LOCK_POOL);
}
