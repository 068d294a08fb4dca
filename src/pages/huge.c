/* huge.c - registry of huge blocks, and a bounded cache of freed mappings.
 *
 * Owns:       every mapping that holds a huge block or is cached.
 * Threads:    any.
 * Locks:      LOCK_HUGE for the registry and the cache; system calls are made outside of it.
 * Invariants: HUGE-1  a node is in the chain of its pointer's bucket exactly while the block lives.
 *             HUGE-2  cached_bytes is the sum of the cache, within the budget.
 * Lock-free lookup: nodes are type-stable and never given back, so readers may follow any link. A
 * node put into another chain meanwhile leads one astray, to a miss at worst; a miss looks again
 * under the lock. The caller owns the block it asks for, so that block's own node does not move.
 * The cache: a freed mapping serves any later request: cut, or extended by mremap, because moving
 * page tables costs a tenth of faulting the pages in.
 */
#include "pages/huge.h"

#include "pages/backing.h"
#include "pages/limit.h"
#include "pages/purge.h"
#include "pages/span.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/tables.h"
#include "base/meta_alloc.h"
#include "base/live.h"

#include <stdatomic.h>
#include <stdint.h>

#define BUCKETS         (1UL << HUGE_BUCKETS_SHIFT)
#define FREED_RING      32            // addresses remembered for the sake of exact messages
#define REUSE_NS        100000000ULL  // an unmapped mapping wanted again so soon was one too many
#define QUIET_NS        1000000000ULL // without a free: the load is over
#define SHARE_SHIFT_MAX 3             // the cache may hold an eighth of the peak, more when it pays

struct mapping {
    char *start;
    size_t bytes;
    bool is_backed; // of the file of backing:DIR, since it was made
};

struct node {
    _Atomic(const void *) ptr;   // [atomic] what the user got; NULL while unused
    _Atomic(struct node *) next; // [atomic] in the bucket or the free list, under LOCK_HUGE
    _Atomic(size_t) usable;      // [atomic] bytes from ptr to the end of the mapping
    struct mapping mapping;      // [lock: LOCK_HUGE]
};

static struct {
    struct lock lock;
    _Atomic(struct node *) buckets[BUCKETS]; // [atomic] written under LOCK_HUGE, as all below
    struct node *unused;
    struct mapping cache[HUGE_CACHE_ENTRIES]; // oldest first
    size_t cache_entries;
    struct mapping freed[FREED_RING]; // user pointer and usable bytes
    size_t freed_next;
    unsigned share_shift;
    uint64_t unmapped_ns; // when a mapping last went back
    uint64_t used_ns;     // when a block was last freed
    size_t offset_seed;
    struct huge_stats stats;
} g_huge = {.lock = LOCK_INIT(LOCK_HUGE), .share_shift = SHARE_SHIFT_MAX};

TABLE(huge, .id = MYALLOC_TABLE_HUGE, .address = &g_huge.stats, .count = 1, HUGE_FIELDS);

// ---- registry ----

static enum myalloc_live_region_kind kind_of(const struct mapping *mapping)
{
    return mapping->is_backed ? MYALLOC_LIVE_REGION_BACKED : MYALLOC_LIVE_REGION_HUGE;
}

static _Atomic(struct node *) *bucket_of(const void *ptr)
{
    uint64_t hash = ((uintptr_t)ptr >> 12) * 0x9e3779b97f4a7c15ULL;
    return &g_huge.buckets[hash >> (64 - HUGE_BUCKETS_SHIFT)];
}

static struct node *chain_find(const void *ptr)
{
    // acquire: pairs with the release in registry_insert
    struct node *node = atomic_load_explicit(bucket_of(ptr), memory_order_acquire);
    while (node != NULL && atomic_load_explicit(&node->ptr, memory_order_relaxed) != ptr) {
        node = atomic_load_explicit(&node->next, memory_order_acquire);
    }
    return node;
}

static struct node *node_take_locked(void)
{
    struct node *node = g_huge.unused;
    if (node != NULL) {
        g_huge.unused = atomic_load_explicit(&node->next, memory_order_relaxed);
        return node;
    }
    return meta_alloc(sizeof(struct node));
}

static void registry_insert_locked(struct node *node)
{
    const void *ptr = atomic_load_explicit(&node->ptr, memory_order_relaxed);
    _Atomic(struct node *) *bucket = bucket_of(ptr);
    struct node *head = atomic_load_explicit(bucket, memory_order_relaxed);
    atomic_store_explicit(&node->next, head, memory_order_relaxed);
    // release: pairs with the acquire in chain_find
    atomic_store_explicit(bucket, node, memory_order_release);
    g_huge.stats.live_blocks++;
    g_huge.stats.live_bytes += node->mapping.bytes;
    g_huge.stats.live_bytes_max = max_size(g_huge.stats.live_bytes_max, g_huge.stats.live_bytes);
    purge_room_for_huge(g_huge.stats.live_bytes, g_huge.stats.cached_bytes);
    live_add(kind_of(&node->mapping), node->mapping.start, node->mapping.bytes);
}

// Takes the node out of its chain; HUGE-1. The node stays the caller's.
static void registry_remove_locked(struct node *node)
{
    const void *ptr = atomic_load_explicit(&node->ptr, memory_order_relaxed);
    _Atomic(struct node *) *link = bucket_of(ptr);
    struct node *at = atomic_load_explicit(link, memory_order_relaxed);
    while (at != node) {
        ASSERT(at != NULL);
        link = &at->next;
        at = atomic_load_explicit(link, memory_order_relaxed);
    }
    struct node *next = atomic_load_explicit(&node->next, memory_order_relaxed);
    // release: pairs with the acquire in chain_find
    atomic_store_explicit(link, next, memory_order_release);
    g_huge.stats.live_blocks--;
    g_huge.stats.live_bytes -= node->mapping.bytes;
    live_cut(kind_of(&node->mapping), node->mapping.start, node->mapping.bytes);
}

static void node_recycle_locked(struct node *node)
{
    atomic_store_explicit(&node->ptr, NULL, memory_order_relaxed);
    atomic_store_explicit(&node->next, g_huge.unused, memory_order_relaxed);
    g_huge.unused = node;
}

// ---- cache ----

static size_t cache_budget_locked(void)
{
    size_t share = g_huge.stats.live_bytes_max >> g_huge.share_shift;
    size_t room = purge_room_for_huge(g_huge.stats.live_bytes, g_huge.stats.cached_bytes);
    size_t most = min_size(HUGE_CACHE_BYTES_MAX << (SHARE_SHIFT_MAX - g_huge.share_shift),
                           g_huge.stats.cached_bytes + room);
    return clamp_size(share, HUGE_CACHE_BYTES_MIN, max_size(most, HUGE_CACHE_BYTES_MIN));
}

static struct mapping cache_remove_locked(size_t entry)
{
    struct mapping mapping = g_huge.cache[entry];
    for (size_t i = entry + 1; i < g_huge.cache_entries; i++) {
        g_huge.cache[i - 1] = g_huge.cache[i];
    }
    g_huge.cache_entries--;
    g_huge.stats.cached_bytes -= mapping.bytes; // HUGE-2
    live_cut(MYALLOC_LIVE_REGION_CACHED, mapping.start, mapping.bytes);
    return mapping;
}

// The shortest cached mapping of at least `bytes`, else the longest; {NULL, 0} when empty.
static struct mapping cache_take_locked(size_t bytes)
{
    size_t best = HUGE_CACHE_ENTRIES;
    for (size_t i = 0; i < g_huge.cache_entries; i++) {
        size_t length = g_huge.cache[i].bytes;
        size_t best_length = best == HUGE_CACHE_ENTRIES ? 0 : g_huge.cache[best].bytes;
        bool better =
            best_length < bytes ? length > best_length : length >= bytes && length < best_length;
        if (better) {
            best = i;
        }
    }
    if (best == HUGE_CACHE_ENTRIES) {
        return (struct mapping){NULL, 0, false};
    }
    return cache_remove_locked(best);
}

// Files a mapping; what must go in its place comes back in *evicted (also the mapping itself).
static size_t cache_put_locked(struct mapping mapping, struct mapping *evicted)
{
    size_t count = 0;
    size_t budget = cache_budget_locked();
    if (mapping.bytes > budget) {
        evicted[0] = mapping;
        return 1;
    }
    while (g_huge.cache_entries == HUGE_CACHE_ENTRIES ||
           (g_huge.cache_entries != 0 && g_huge.stats.cached_bytes + mapping.bytes > budget)) {
        evicted[count++] = cache_remove_locked(0);
    }
    g_huge.cache[g_huge.cache_entries++] = mapping;
    g_huge.stats.cached_bytes += mapping.bytes;
    live_add(MYALLOC_LIVE_REGION_CACHED, mapping.start, mapping.bytes);
    return count;
}

static void unmap(struct mapping mapping)
{
    if (mapping.is_backed) {
        backing_give(mapping.start, mapping.bytes);
    }
    os_unmap(mapping.start, mapping.bytes);
    live_event(MYALLOC_LIVE_EVENT_MUNMAP, mapping.start, mapping.bytes);
}

static void unmap_all(const struct mapping *mappings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unmap(mappings[i]);
    }
}

// Keeps a mapping that is of use to a later block, or unmaps it.
static void cache_put(struct mapping mapping, bool is_of_use)
{
    struct mapping evicted[HUGE_CACHE_ENTRIES + 1];
    evicted[0] = mapping; // a piece of a file is not kept: it is for what is in use
    lock_acquire(&g_huge.lock);
    bool keeps = is_of_use && !mapping.is_backed;
    size_t count = keeps ? cache_put_locked(mapping, evicted) : 1;
    g_huge.stats.unmaps += count;
    g_huge.used_ns = os_now_ns();
    if (count != 0) {
        g_huge.unmapped_ns = g_huge.used_ns;
    }
    lock_release(&g_huge.lock);
    unmap_all(evicted, count);
}

size_t huge_release_cache(void)
{
    struct mapping all[HUGE_CACHE_ENTRIES];
    size_t count = 0;
    size_t bytes = 0;
    lock_acquire(&g_huge.lock);
    while (g_huge.cache_entries != 0) {
        all[count] = cache_remove_locked(0);
        bytes += all[count++].bytes;
    }
    g_huge.stats.unmaps += count;
    lock_release(&g_huge.lock);
    unmap_all(all, count);
    return bytes;
}

void huge_age(void)
{
    lock_acquire(&g_huge.lock);
    bool is_idle = g_huge.used_ns + QUIET_NS < os_now_ns();
    if (is_idle) {
        g_huge.share_shift = SHARE_SHIFT_MAX;
        g_huge.stats.live_bytes_max = g_huge.stats.live_bytes;
    }
    lock_release(&g_huge.lock);
    if (is_idle) {
        huge_release_cache();
    }
}

// A miss soon after an unmap shows that the cache is too small; long quiet that it is too large.
static void adapt_locked(void)
{
    if (g_huge.unmapped_ns == 0) {
        return;
    }
    if (os_now_ns() - g_huge.unmapped_ns < REUSE_NS) {
        if (g_huge.share_shift > 0) {
            g_huge.share_shift--;
        }
    } else {
        g_huge.share_shift = SHARE_SHIFT_MAX;
        g_huge.stats.live_bytes_max =
            max_size(g_huge.stats.live_bytes, g_huge.stats.live_bytes_max / 2);
    }
    g_huge.unmapped_ns = 0;
}

// ---- mappings ----

// Makes a cached mapping exactly `bytes` long; what was cut off goes back to the cache.
static struct mapping fit_cached(struct mapping mapping, size_t bytes)
{
    if (mapping.bytes > bytes + bytes / 4) {
        cache_put((struct mapping){mapping.start + bytes, mapping.bytes - bytes, false}, true);
        mapping.bytes = bytes;
    } else if (mapping.bytes < bytes) {
        char *moved = os_remap(mapping.start, mapping.bytes, bytes);
        if (moved == NULL) {
            unmap(mapping);
        } else {
            live_resize(mapping.bytes, bytes);
        }
        mapping = (struct mapping){moved, bytes, false};
    }
    return mapping;
}

// `reserves`: addresses only.
static struct mapping map_aligned(size_t bytes, size_t alignment, bool reserves)
{
    size_t page = os_page_bytes();
    size_t slack = alignment > page ? alignment - page : 0;
    char *start = NULL;
    if (bytes + slack >= bytes) {
        start = reserves ? os_map_none(bytes + slack) : os_map(NULL, bytes + slack);
    }
    if (start == NULL || slack == 0) {
        return (struct mapping){start, bytes, false};
    }
    char *aligned = start + (align_up((uintptr_t)start, alignment) - (uintptr_t)start);
    size_t before = (size_t)(aligned - start);
    if (before != 0) {
        os_unmap(start, before);
    }
    if (slack != before) {
        os_unmap(aligned + bytes, slack - before);
    }
    return (struct mapping){aligned, bytes, false};
}

// A mapping in the file of backing:DIR; start NULL when there is none to be had.
static struct mapping map_backed(size_t bytes, size_t alignment, bool *clean)
{
    struct mapping mapping = map_aligned(bytes, alignment, true);
    if (mapping.start != NULL && backing_cover(mapping.start, bytes, clean)) {
        mapping.is_backed = true;
        live_event(MYALLOC_LIVE_EVENT_MMAP, mapping.start, bytes);
    } else if (mapping.start != NULL) {
        os_unmap(mapping.start, bytes);
        mapping.start = NULL;
    }
    return mapping;
}

// A mapping of `bytes` (whole pages) from the cache or the system.
static struct mapping mapping_take(size_t bytes, size_t alignment, bool *clean)
{
    struct mapping mapping = {NULL, 0, false};
    if (backing_is_on()) {
        mapping = map_backed(bytes, alignment, clean);
        if (mapping.start != NULL) {
            return mapping;
        }
    }
    if (alignment <= os_page_bytes()) {
        lock_acquire(&g_huge.lock);
        mapping = cache_take_locked(bytes);
        g_huge.stats.reuses += mapping.start != NULL;
        if (mapping.bytes < bytes) {
            adapt_locked();
        }
        lock_release(&g_huge.lock);
    }
    *clean = false;
    if (mapping.start != NULL) {
        mapping = fit_cached(mapping, bytes);
    }
    if (mapping.start == NULL) {
        mapping = map_aligned(bytes, alignment, false);
        *clean = true;
        if (mapping.start == NULL && huge_release_cache() + span_release_space() != 0) {
            mapping = map_aligned(bytes, alignment, false);
        }
        if (mapping.start != NULL) {
            live_event(MYALLOC_LIVE_EVENT_MMAP, mapping.start, bytes);
        }
    }
    return mapping;
}

// A multiple of 64 bytes within the slack of the last page: big arrays then begin in different
// cache sets, at no cost in memory.
static size_t start_offset_locked(size_t bytes, size_t mapped_bytes, size_t alignment)
{
    size_t slack = min_size(mapped_bytes - bytes, os_page_bytes() - 1);
    size_t steps = slack / CACHE_LINE_BYTES;
    if (steps == 0 || alignment > CACHE_LINE_BYTES) {
        return 0;
    }
    g_huge.offset_seed = g_huge.offset_seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (g_huge.offset_seed >> 33) % (steps + 1) * CACHE_LINE_BYTES;
}

void *huge_take(size_t bytes, size_t alignment, bool *clean)
{
    ASSERT(bytes != 0);
    ASSERT(is_pow2(alignment));
    size_t mapped_bytes = align_up(bytes, os_page_bytes());
    struct mapping mapping = mapping_take(mapped_bytes, alignment, clean);
    if (mapping.start == NULL) {
        return NULL;
    }
    char *ptr = NULL;
    lock_acquire(&g_huge.lock);
    struct node *node = node_take_locked();
    if (node != NULL) {
        ptr = mapping.start + start_offset_locked(bytes, mapping.bytes, alignment);
        node->mapping = mapping;
        atomic_store_explicit(&node->usable, (size_t)(mapping.start + mapping.bytes - ptr),
                              memory_order_relaxed);
        atomic_store_explicit(&node->ptr, ptr, memory_order_relaxed);
        registry_insert_locked(node);
        g_huge.stats.maps += *clean;
        live_count();
    }
    lock_release(&g_huge.lock);
    if (ptr == NULL) {
        unmap(mapping);
    }
    return ptr;
}

size_t huge_usable_bytes(const void *ptr)
{
    struct node *node = chain_find(ptr);
    if (UNLIKELY(node == NULL)) { // led astray, or not ours
        bool was_taken = lock_acquire_to_look(&g_huge.lock);
        node = chain_find(ptr);
        lock_release_after_look(&g_huge.lock, was_taken);
    }
    return node == NULL ? 0 : atomic_load_explicit(&node->usable, memory_order_relaxed);
}

bool huge_give(void *ptr)
{
    lock_acquire(&g_huge.lock);
    struct node *node = chain_find(ptr);
    if (node == NULL) {
        lock_release(&g_huge.lock);
        return false;
    }
    struct mapping mapping = node->mapping;
    registry_remove_locked(node);
    bool was_last = limit_raise(mapping.bytes);
    g_huge.freed[g_huge.freed_next++ % FREED_RING] =
        (struct mapping){ptr, atomic_load_explicit(&node->usable, memory_order_relaxed), false};
    node_recycle_locked(node);
    lock_release(&g_huge.lock);
    cache_put(mapping, !was_last);
    return true;
}

// Bytes of the mapping for a block that is resized: with an eighth of untouched room behind it
// when it grows in small steps, so that not every step is a system call.
static size_t resized_bytes(size_t old_bytes, size_t needed)
{
    size_t page = os_page_bytes();
    if (needed > old_bytes) {
        bool is_step = needed - old_bytes <= old_bytes / 8;
        return align_up(is_step ? needed + needed / 8 : needed, page);
    }
    return old_bytes - needed <= old_bytes / 8 ? old_bytes : align_up(needed, page);
}

// Remaps the block of a node that the registry does not hold meanwhile: another block may get the
// old address at once. False: it stayed as it was.
static bool node_remap(struct node *node, size_t mapped_bytes)
{
    struct mapping old = node->mapping;
    lock_acquire(&g_huge.lock);
    registry_remove_locked(node);
    lock_release(&g_huge.lock);
    char *start = old.is_backed ? backing_resize(old.start, old.bytes, mapped_bytes)
                                : os_remap(old.start, old.bytes, mapped_bytes);
    lock_acquire(&g_huge.lock);
    if (start != NULL) {
        const char *ptr = atomic_load_explicit(&node->ptr, memory_order_relaxed);
        size_t offset = (size_t)(ptr - old.start);
        live_resize(old.bytes, mapped_bytes);
        node->mapping = (struct mapping){start, mapped_bytes, old.is_backed};
        atomic_store_explicit(&node->ptr, start + offset, memory_order_relaxed);
        g_huge.stats.remaps++;
    }
    registry_insert_locked(node);
    lock_release(&g_huge.lock);
    return start != NULL;
}

void *huge_resize(void *ptr, size_t bytes)
{
    lock_acquire(&g_huge.lock);
    struct node *node = chain_find(ptr);
    lock_release(&g_huge.lock);
    if (node == NULL) {
        return NULL;
    }
    // The block is the caller's: nobody else changes its node meanwhile.
    size_t old_bytes = node->mapping.bytes;
    size_t offset = (size_t)((char *)ptr - node->mapping.start);
    if (bytes > PTRDIFF_MAX / 2) {
        return NULL;
    }
    size_t needed = align_up(bytes + offset, os_page_bytes());
    size_t wanted = resized_bytes(old_bytes, needed);
    if (wanted != old_bytes && !node_remap(node, wanted) &&
        (needed > old_bytes && !node_remap(node, needed))) {
        return NULL;
    }
    atomic_store_explicit(&node->usable, needed - offset, memory_order_relaxed);
    return node->mapping.start + offset;
}

// ---- looks ----

size_t huge_freed_bytes(const void *ptr)
{
    size_t bytes = 0;
    bool was_taken = lock_acquire_to_look(&g_huge.lock);
    for (size_t i = 0; i < FREED_RING; i++) {
        if (g_huge.freed[i].start == ptr) {
            bytes = g_huge.freed[i].bytes;
        }
    }
    lock_release_after_look(&g_huge.lock, was_taken);
    return bytes;
}

size_t huge_holder_bytes(const void *ptr)
{
    size_t bytes = 0;
    bool was_taken = lock_acquire_to_look(&g_huge.lock);
    for (size_t b = 0; b < BUCKETS; b++) {
        struct node *node = atomic_load_explicit(&g_huge.buckets[b], memory_order_relaxed);
        for (; node != NULL; node = atomic_load_explicit(&node->next, memory_order_relaxed)) {
            if ((uintptr_t)ptr - (uintptr_t)node->mapping.start < node->mapping.bytes) {
                bytes = atomic_load_explicit(&node->usable, memory_order_relaxed);
            }
        }
    }
    lock_release_after_look(&g_huge.lock, was_taken);
    return bytes;
}

struct huge_stats huge_stats(void)
{
    lock_acquire(&g_huge.lock);
    struct huge_stats stats = g_huge.stats;
    lock_release(&g_huge.lock);
    return stats;
}

// For a page that begins late, in a child: no lock is needed there.
void huge_show(void)
{
    for (size_t b = 0; b < BUCKETS; b++) {
        struct node *node = atomic_load_explicit(&g_huge.buckets[b], memory_order_relaxed);
        for (; node != NULL; node = atomic_load_explicit(&node->next, memory_order_relaxed)) {
            live_add(kind_of(&node->mapping), node->mapping.start, node->mapping.bytes);
            live_resize(0, node->mapping.bytes);
        }
    }
    for (size_t i = 0; i < g_huge.cache_entries; i++) {
        live_add(MYALLOC_LIVE_REGION_CACHED, g_huge.cache[i].start, g_huge.cache[i].bytes);
        live_resize(0, g_huge.cache[i].bytes);
    }
}

size_t huge_look(struct huge_view *views, size_t most)
{
    size_t count = 0;
    lock_acquire(&g_huge.lock);
    for (size_t b = 0; b < BUCKETS; b++) {
        struct node *node = atomic_load_explicit(&g_huge.buckets[b], memory_order_relaxed);
        for (; node != NULL; node = atomic_load_explicit(&node->next, memory_order_relaxed)) {
            if (count++ < most) {
                views[count - 1] = (struct huge_view){
                    atomic_load_explicit(&node->ptr, memory_order_relaxed),
                    atomic_load_explicit(&node->usable, memory_order_relaxed), false};
            }
        }
    }
    for (size_t i = 0; i < g_huge.cache_entries; i++) {
        if (count++ < most) {
            views[count - 1] =
                (struct huge_view){g_huge.cache[i].start, g_huge.cache[i].bytes, true};
        }
    }
    lock_release(&g_huge.lock);
    return count;
}

void huge_each_lock(lock_visitor *visit)
{
    visit(&g_huge.lock);
}
