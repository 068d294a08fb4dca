/* meta_alloc.c - allocates memory for our own structures, outside the heap.
 *
 * Owns:       one mapping at a time, carved from its start; the first one is static, so that small
 *             programs need no system call.
 * Threads:    any.
 * Locks:      LOCK_META; live_add() below takes LOCK_LIVE.
 * Invariants: META-1  used <= bytes of the mapping.
 */
#include "base/meta_alloc.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/live.h"

#include <stdint.h>

#define META_MAP_BYTES (128UL * 1024)
#define FIRST_BYTES                                                                                \
    (10UL * 1024) // enough for small programs: part of the file, resident with its neighbours

static struct {
    struct lock lock;
    char *map;    // [lock: LOCK_META] NULL: the static one
    size_t used;  // [lock: LOCK_META] bytes of the mapping
    size_t bytes; // [lock: LOCK_META] of the mapping
    ALIGNED(64) char first[FIRST_BYTES];
} g_meta_alloc = {.lock = LOCK_INIT(LOCK_META)};

void *meta_alloc(size_t bytes)
{
    void *taken = NULL;
    bytes = align_up(bytes, CACHE_LINE_BYTES);
    ASSERT(bytes <= META_MAP_BYTES);
    lock_acquire(&g_meta_alloc.lock);
    if (g_meta_alloc.map == NULL) {
        g_meta_alloc.map = g_meta_alloc.first;
        g_meta_alloc.bytes = sizeof g_meta_alloc.first;
    }
    if (g_meta_alloc.bytes - g_meta_alloc.used < bytes) {
        char *map = os_map(NULL, META_MAP_BYTES);
        if (map == NULL) {
            goto release_lock;
        }
        live_add(MYALLOC_LIVE_REGION_TABLE, map, META_MAP_BYTES);
        g_meta_alloc.map = map;
        g_meta_alloc.bytes = META_MAP_BYTES;
        g_meta_alloc.used = 0;
    }
    taken = g_meta_alloc.map + g_meta_alloc.used;
    g_meta_alloc.used += bytes;
    ASSERT(g_meta_alloc.used <= g_meta_alloc.bytes); // META-1
release_lock:
    lock_release(&g_meta_alloc.lock);
    return taken;
}

void meta_alloc_each_lock(lock_visitor *visit)
{
    visit(&g_meta_alloc.lock);
}
