/* huge.c - allocates and frees huge blocks, each with a mapping of its own.
 *
 * Owns:       every mapping that holds a huge block; freed ones go to map_cache.c.
 * Threads:    any.
 * Locks:      LOCK_HUGE for the index and the cache; system calls are made without it.
 * Invariants: HUGE-1  a request that fails does not release memory in vain: see huge_make_room.
 */
#include "pages/huge.h"

#include "pages/backing.h"
#include "pages/budget.h"
#include "pages/huge_index.h"
#include "pages/huge_pages.h"
#include "pages/limit.h"
#include "pages/map_cache.h"
#include "pages/purge.h"
#include "pages/span.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/tables.h"
#include "base/live.h"

#include <stdatomic.h>
#include <stdint.h>

#define FREED_RING  32          // freed addresses remembered for exact messages
#define ADDRESS_MAX (1UL << 47) // no mapping is longer

static struct {
    struct lock lock;
    struct mapping freed[FREED_RING]; // [lock: LOCK_HUGE] user pointer and usable bytes
    size_t freed_next;                // [lock: LOCK_HUGE] this and the rest
    size_t frees;
    size_t frees_aged; // `frees` when huge_age was last called
    size_t offset_seed;
    struct huge_stats stats;
} g_huge = {.lock = LOCK_INIT(LOCK_HUGE)};

TABLE(huge, .id = MYALLOC_TABLE_HUGE, .address = &g_huge.stats, .count = 1, HUGE_FIELDS);

static enum myalloc_live_region_kind kind_of(const struct mapping *mapping)
{
    return mapping->is_backed ? MYALLOC_LIVE_REGION_BACKED : MYALLOC_LIVE_REGION_HUGE;
}

// Reports the bytes in blocks and in the cache to budget.c, after either changed.
static void tell_budget_locked(void)
{
    g_huge.stats.cached_bytes = map_cache_bytes();
    budget_follow_huge(g_huge.stats.live_bytes, g_huge.stats.cached_bytes);
}

static void insert_locked(struct huge_block *block)
{
    ASSERT(block->mapping.start != NULL);
    struct huge_stats *stats = &g_huge.stats;
    huge_index_insert(block);
    stats->live_blocks++;
    stats->live_blocks_max = max_size(stats->live_blocks_max, stats->live_blocks);
    stats->live_bytes += block->mapping.bytes;
    stats->live_bytes_max = max_size(stats->live_bytes_max, stats->live_bytes);
    limit_count(0, block->mapping.bytes);
    tell_budget_locked();
    live_add(kind_of(&block->mapping), block->mapping.start, block->mapping.bytes);
}

static void remove_locked(struct huge_block *block)
{
    struct huge_stats *stats = &g_huge.stats;
    huge_index_remove(block);
    ASSERT(stats->live_blocks != 0);
    ASSERT(stats->live_bytes >= block->mapping.bytes);
    limit_count(block->mapping.bytes, 0);
    stats->live_blocks--;
    stats->live_bytes -= block->mapping.bytes;
    live_cut(kind_of(&block->mapping), block->mapping.start, block->mapping.bytes);
}

// ---- cache or unmap ----

static void unmap(struct mapping mapping)
{
    ASSERT(mapping.start != NULL);
    ASSERT(mapping.bytes % os_page_bytes() == 0);
    if (mapping.is_backed) {
        backing_return(mapping.start, mapping.bytes);
    }
    os_unmap(mapping.start, mapping.bytes);
    budget_note_unmapped(mapping.bytes);
    live_event(MYALLOC_LIVE_EVENT_MUNMAP, mapping.start, mapping.bytes);
}

static void unmap_all(const struct mapping *mappings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unmap(mappings[i]);
    }
}

// Caches a mapping if it is of use to a later block, or else unmaps it.
static void keep(struct mapping mapping, bool is_of_use)
{
    ASSERT(mapping.start != NULL);
    struct mapping evicted[MAP_CACHE_ENTRIES + 1];
    evicted[0] = mapping; // a piece of a file is not cached: its room is for blocks in use
    size_t count = 1;
    lock_acquire(&g_huge.lock);
    if (is_of_use && !mapping.is_backed) {
        count = map_cache_put(mapping, budget_bytes_for_huge(), evicted);
    }
    g_huge.stats.unmaps += count;
    tell_budget_locked();
    lock_release(&g_huge.lock);
    unmap_all(evicted, count);
}

size_t huge_release_cache(void)
{
    struct mapping all[MAP_CACHE_ENTRIES];
    size_t bytes = 0;
    lock_acquire(&g_huge.lock);
    size_t count = map_cache_empty(all);
    g_huge.stats.unmaps += count;
    tell_budget_locked();
    lock_release(&g_huge.lock);
    for (size_t i = 0; i < count; i++) {
        bytes += all[i].bytes;
    }
    unmap_all(all, count);
    return bytes;
}

bool huge_caches(void)
{
    return map_cache_bytes() != 0;
}

void huge_age(void)
{
    lock_acquire(&g_huge.lock);
    bool is_idle = g_huge.frees == g_huge.frees_aged;
    g_huge.frees_aged = g_huge.frees;
    lock_release(&g_huge.lock);
    if (is_idle) {
        huge_release_cache();
    }
}

// ---- map ----

// Makes a cached mapping fit `bytes`: one that is much longer is cut, and the rest returned to the
// cache; a shorter one is extended. start NULL: not possible, and the mapping is cached again.
static struct mapping fit_cached(struct mapping mapping, size_t bytes)
{
    ASSERT(mapping.start != NULL);
    ASSERT(bytes % os_page_bytes() == 0);
    if (mapping.bytes > bytes + bytes / 4) {
        keep((struct mapping){mapping.start + bytes, mapping.bytes - bytes, false}, true);
        mapping.bytes = bytes;
    } else if (mapping.bytes < bytes) {
        char *moved = os_remap(mapping.start, mapping.bytes, bytes);
        if (moved == NULL) {
            keep(mapping, true); // HUGE-1
        } else {
            live_resize(mapping.bytes, bytes);
            budget_note_mapped(bytes - mapping.bytes);
        }
        mapping = (struct mapping){moved, bytes, false};
    }
    ASSERT(mapping.bytes >= bytes);
    return mapping;
}

// Maps memory or, if it `reserves`, address space only.
static struct mapping map_aligned(size_t bytes, size_t alignment, bool reserves)
{
    ASSERT(bytes % os_page_bytes() == 0);
    size_t page = os_page_bytes();
    size_t slack = alignment > page ? alignment - page : 0;
    char *start = NULL;
    if (bytes + slack >= bytes) {
        start = reserves ? os_map_none(bytes + slack) : os_map(NULL, bytes + slack);
    }
    if (start == NULL || slack == 0) {
        return (struct mapping){start, bytes, false};
    }
    ASSERT(is_pow2(alignment));
    char *aligned = start + (align_up((uintptr_t)start, alignment) - (uintptr_t)start);
    size_t before = (size_t)(aligned - start);
    ASSERT(before <= slack);
    if (before != 0) {
        os_unmap(start, before);
    }
    if (slack != before) {
        os_unmap(aligned + bytes, slack - before);
    }
    return (struct mapping){aligned, bytes, false};
}

// Maps a part of the file of backing:DIR; start NULL if that fails.
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

// True if a mapping of `bytes` would succeed once all free memory here is unmapped: otherwise it
// would be released in vain.
static NOINLINE COLD bool can_be_freed_for(size_t bytes)
{
    ASSERT(bytes != 0);
    size_t most = map_cache_bytes() + span_free_bytes();
    if (bytes <= most) {
        return true; // at the very limit not even a page could be probed
    }
    size_t rest = bytes - most;
    void *probe = most != 0 ? os_map(NULL, align_up(rest, os_page_bytes())) : NULL;
    if (probe != NULL) {
        os_unmap(probe, align_up(rest, os_page_bytes()));
    }
    return probe != NULL;
}

COLD bool huge_make_room(size_t bytes)
{
    ASSERT(bytes != 0);
    return bytes < ADDRESS_MAX && can_be_freed_for(align_up(bytes, os_page_bytes())) && // HUGE-1
           huge_release_cache() + span_release_space() != 0;
}

// Requests huge pages for a block that will be written to from byte `from` on.
static void ask_huge_pages(const struct mapping *mapping, size_t from)
{
    ASSERT(from <= mapping->bytes);
    size_t used = span_used_bytes() + mapping->bytes; // a lower bound
    if (mapping->bytes - from >= HUGE_PAGE_BLOCK_MIN && huge_pages_are_for(used)) {
        huge_pages_ask_mapping(mapping->start, mapping->bytes, from == 0);
    }
}

static struct mapping map_new(size_t bytes, size_t alignment, bool is_sparse)
{
    struct mapping mapping = map_aligned(bytes, alignment, false);
    if (mapping.start != NULL) {
        budget_note_mapped(bytes);
        live_event(MYALLOC_LIVE_EVENT_MMAP, mapping.start, bytes);
        if (!is_sparse) {
            ask_huge_pages(&mapping, 0);
        }
    }
    return mapping;
}

// Takes a mapping from the cache and makes it fit; start NULL: there is none.
static struct mapping map_cached(size_t bytes)
{
    ASSERT(bytes != 0);
    lock_acquire(&g_huge.lock);
    struct mapping mapping = map_cache_take(bytes);
    g_huge.stats.reuses += mapping.start != NULL;
    lock_release(&g_huge.lock);
    return mapping.start != NULL ? fit_cached(mapping, bytes) : mapping;
}

// Gets a mapping of `bytes` (whole pages) from the file, the cache or the system.
static struct mapping mapping_take(size_t bytes, size_t alignment, bool *clean)
{
    struct mapping mapping = {NULL, 0, false};
    if (backing_is_on()) {
        mapping = map_backed(bytes, alignment, clean);
        if (mapping.start != NULL) {
            return mapping;
        }
    }
    if (alignment <= os_page_bytes() && huge_caches()) {
        mapping = map_cached(bytes);
    }
    bool is_sparse = *clean; // a program that asks for zeros will hardly write to it all over
    *clean = mapping.start == NULL;
    return mapping.start != NULL ? mapping : map_new(bytes, alignment, is_sparse);
}

// A random multiple of 64 bytes within the slack of the last page: big arrays then begin in
// different cache sets, at no cost in memory.
static size_t start_offset_locked(size_t bytes, size_t mapped_bytes, size_t alignment)
{
    ASSERT(bytes <= mapped_bytes);
    size_t slack = min_size(mapped_bytes - bytes, os_page_bytes() - 1);
    size_t steps = slack / CACHE_LINE_BYTES;
    if (steps == 0 || alignment > CACHE_LINE_BYTES) {
        return 0;
    }
    g_huge.offset_seed = g_huge.offset_seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (g_huge.offset_seed >> 33) % (steps + 1) * CACHE_LINE_BYTES;
}

void *huge_allocate(size_t bytes, size_t alignment, bool *clean)
{
    ASSERT(bytes != 0);
    ASSERT(is_pow2(alignment));
    if (bytes >= ADDRESS_MAX || alignment >= ADDRESS_MAX) {
        return NULL; // HUGE-1
    }
    size_t mapped_bytes = align_up(bytes, os_page_bytes());
    struct mapping mapping = mapping_take(mapped_bytes, alignment, clean);
    if (mapping.start == NULL) {
        return NULL;
    }
    char *ptr = NULL;
    lock_acquire(&g_huge.lock);
    struct huge_block *block = huge_index_new();
    if (block != NULL) {
        ptr = mapping.start + start_offset_locked(bytes, mapping.bytes, alignment);
        ASSERT((uintptr_t)ptr % alignment == 0);
        block->mapping = mapping;
        atomic_store_explicit(&block->usable, (size_t)(mapping.start + mapping.bytes - ptr),
                              memory_order_relaxed);
        atomic_store_explicit(&block->ptr, ptr, memory_order_relaxed);
        insert_locked(block);
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
    struct huge_block *block = huge_index_find(ptr);
    if (UNLIKELY(block == NULL)) { // the lock-free search was misled, or it is not ours
        bool was_taken = lock_acquire_to_look(&g_huge.lock);
        block = huge_index_find(ptr);
        lock_release_after_look(&g_huge.lock, was_taken);
    }
    return block == NULL ? 0 : atomic_load_explicit(&block->usable, memory_order_relaxed);
}

bool huge_free(void *ptr)
{
    lock_acquire(&g_huge.lock);
    struct huge_block *block = huge_index_find(ptr);
    if (block == NULL) {
        lock_release(&g_huge.lock);
        return false;
    }
    struct mapping mapping = block->mapping;
    ASSERT((uintptr_t)ptr - (uintptr_t)mapping.start < os_page_bytes());
    ASSERT(mapping.bytes % os_page_bytes() == 0);
    remove_locked(block);
    bool was_last = limit_raise(mapping.bytes);
    g_huge.freed[g_huge.freed_next++ % FREED_RING] =
        (struct mapping){ptr, atomic_load_explicit(&block->usable, memory_order_relaxed), false};
    huge_index_recycle(block);
    g_huge.frees++;
    lock_release(&g_huge.lock);
    keep(mapping, !was_last); // also reports to budget.c
    purge_consider(0);
    if (purge_is_low() && huge_caches()) {
        huge_release_cache();
    }
    return true;
}

// The new length of the mapping of a block that is resized: if it grows in small steps, with an
// eighth of untouched room at the end, so that not every step is a system call.
static size_t resized_bytes(size_t old_bytes, size_t needed)
{
    ASSERT(needed != 0);
    ASSERT(needed % os_page_bytes() == 0);
    size_t page = os_page_bytes();
    if (needed > old_bytes) {
        bool is_step = needed - old_bytes <= old_bytes / 8;
        return align_up(is_step ? needed + needed / 8 : needed, page);
    }
    return old_bytes - needed <= old_bytes / 8 ? old_bytes : align_up(needed, page);
}

// Remaps a block, which is out of the index meanwhile: another one may get the old address at once.
// False: it is unchanged.
static bool remap(struct huge_block *block, size_t mapped_bytes)
{
    struct mapping old = block->mapping;
    ASSERT(mapped_bytes != old.bytes);
    lock_acquire(&g_huge.lock);
    remove_locked(block);
    lock_release(&g_huge.lock);
    char *start = old.is_backed ? backing_resize(old.start, old.bytes, mapped_bytes)
                                : os_remap(old.start, old.bytes, mapped_bytes);
    lock_acquire(&g_huge.lock);
    if (start != NULL) {
        const char *ptr = atomic_load_explicit(&block->ptr, memory_order_relaxed);
        size_t offset = (size_t)(ptr - old.start);
        live_resize(old.bytes, mapped_bytes);
        budget_note_mapped(mapped_bytes - min_size(mapped_bytes, old.bytes));
        block->mapping = (struct mapping){start, mapped_bytes, old.is_backed};
        atomic_store_explicit(&block->ptr, start + offset, memory_order_relaxed);
        g_huge.stats.remaps++;
    }
    insert_locked(block);
    lock_release(&g_huge.lock);
    if (start != NULL && mapped_bytes > old.bytes && !old.is_backed) {
        ask_huge_pages(&block->mapping, old.bytes); // a block that grows will be written to
    }
    return start != NULL;
}

void *huge_resize(void *ptr, size_t bytes)
{
    lock_acquire(&g_huge.lock);
    struct huge_block *block = huge_index_find(ptr);
    lock_release(&g_huge.lock);
    if (block == NULL) {
        return NULL;
    }
    // The block belongs to the caller: nobody else changes it meanwhile.
    size_t old_bytes = block->mapping.bytes;
    ASSERT(bytes != 0);
    size_t offset = (size_t)((char *)ptr - block->mapping.start);
    ASSERT(offset < os_page_bytes());
    if (bytes > PTRDIFF_MAX / 2) {
        return NULL;
    }
    size_t needed = align_up(bytes + offset, os_page_bytes());
    size_t wanted = resized_bytes(old_bytes, needed);
    if (wanted != old_bytes && !remap(block, wanted) &&
        (needed > old_bytes && !remap(block, needed))) {
        return NULL;
    }
    atomic_store_explicit(&block->usable, needed - offset, memory_order_relaxed);
    return block->mapping.start + offset;
}

// ---- inspection ----

size_t huge_freed_bytes(const void *ptr)
{
    ASSERT(ptr != NULL);
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
    for (struct huge_block *block = huge_index_next(NULL); block != NULL;
         block = huge_index_next(block)) {
        if ((uintptr_t)ptr - (uintptr_t)block->mapping.start < block->mapping.bytes) {
            bytes = atomic_load_explicit(&block->usable, memory_order_relaxed);
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

// For a live page that starts late, in a child: no lock is needed there.
void huge_show(void)
{
    for (struct huge_block *block = huge_index_next(NULL); block != NULL;
         block = huge_index_next(block)) {
        live_add(kind_of(&block->mapping), block->mapping.start, block->mapping.bytes);
        live_resize(0, block->mapping.bytes);
    }
    struct mapping cached;
    for (size_t i = 0; (cached = map_cache_look(i)).start != NULL; i++) {
        live_add(MYALLOC_LIVE_REGION_CACHED, cached.start, cached.bytes);
        live_resize(0, cached.bytes);
    }
}

size_t huge_look(struct huge_view *views, size_t most)
{
    size_t count = 0;
    lock_acquire(&g_huge.lock);
    for (struct huge_block *block = huge_index_next(NULL); block != NULL;
         block = huge_index_next(block)) {
        if (count++ < most) {
            views[count - 1] = (struct huge_view){
                atomic_load_explicit(&block->ptr, memory_order_relaxed),
                atomic_load_explicit(&block->usable, memory_order_relaxed), false};
        }
    }
    struct mapping cached;
    for (size_t i = 0; (cached = map_cache_look(i)).start != NULL; i++) {
        if (count++ < most) {
            views[count - 1] = (struct huge_view){cached.start, cached.bytes, true};
        }
    }
    lock_release(&g_huge.lock);
    return count;
}

void huge_each_lock(lock_visitor *visit)
{
    visit(&g_huge.lock);
}
