/* block.c - one block of any tier.
 *
 * Owns:       the choice of the tier, by size on the way in, by address on the way out.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: BLOCK-1  a pointer is looked up before it is dereferenced.
 */
#include "front/block.h"

#include "base/line.h"
#include "base/options.h"
#include "base/proc_maps.h"
#include "core/depot.h"
#include "core/emergency.h"
#include "core/inherited.h"
#include "core/large.h"
#include "core/thin.h"
#include "front/profiling.h"
#include "front/start.h"
#include "hardened/hardened.h"
#include "inspect/view.h"
#include "pages/huge.h"
#include "pages/limit.h"
#include "pages/page_heap.h"
#include "pages/purge.h"
#include "pages/span.h"
#include "pool/tray.h"
#include "profile/profile.h"
#include "sampling/guard.h"

#include <string.h>
#include <unistd.h>

extern void __libc_free(void *ptr);

// A block that realloc moves because it grew by an eighth at most will grow again: it gets a
// half more room. One that grows by half or doubles needs none: it moves seldom.
#define GROWTH_STEP 8
#define GROWTH_ROOM 2

// ---- find ----

static struct block find_in_slab(struct chunk *slab, const void *ptr)
{
    struct block block = {BLOCK_SLAB, BLOCK_OK, slab, size_class_bytes(slab->sc)};
    if (slab_block_index(slab, ptr) == SLAB_NO_BLOCK) {
        block.fault = BLOCK_INTERIOR;
    } else if (cpu_cache_holds(slab->sc, ptr) ||
               inherited_is_marked(slab, slab_block_index(slab, ptr))) {
        block.fault = BLOCK_FREED; // not all that are free can be told from blocks in use
    }
    return block;
}

static struct block find_in_region(size_t index, const void *ptr)
{
    struct chunk *entry = page_map_entry(index);
    struct chunk *head = chunk_head(entry);
    switch (chunk_state(head)) {
    case CHUNK_SLAB:
        if (page_map_bin(index) != 0 || inherited_is_slab(index)) {
            return find_in_slab(head, ptr);
        } // else the body of a block that is gone, its head in use again
        return (struct block){BLOCK_LARGE, BLOCK_FREED, head, 0};
    case CHUNK_LARGE:
    case CHUNK_PLACED: {
        bool begins = page_map_address(page_map_index(head)) == ptr;
        bool is_placed = chunk_state(head) == CHUNK_PLACED;
        return (struct block){is_placed ? BLOCK_PLACED : BLOCK_LARGE,
                              begins ? BLOCK_OK : BLOCK_INTERIOR, head, head->usable_bytes};
    }
    case CHUNK_RACK:
    case CHUNK_FENCE:
        return hardened_find(head, ptr);
    case CHUNK_BASIN:
        if (tray_of(ptr) != NULL) {
            return (struct block){BLOCK_NONE, BLOCK_OF_POOL, NULL, 0};
        }
        return (struct block){BLOCK_LARGE, BLOCK_FREED, head, 0}; // as below
    case CHUNK_FREE:
    case CHUNK_BODY:
        return (struct block){BLOCK_LARGE, BLOCK_FREED, head, head->usable_bytes};
    case CHUNK_NONE:
        break;
    }
    return (struct block){BLOCK_NONE, BLOCK_UNKNOWN, NULL, 0};
}

static struct block find_huge(const void *ptr)
{
    if (UNLIKELY(g_harden.is_on)) {
        return hardened_find_huge(ptr);
    }
    size_t bytes = huge_usable_bytes(ptr);
    if (bytes != 0) {
        return (struct block){BLOCK_HUGE, BLOCK_OK, NULL, bytes};
    }
    return (struct block){BLOCK_NONE, BLOCK_UNKNOWN, NULL, 0};
}

struct block block_find(const void *ptr)
{
    size_t index = page_map_find(ptr);
    if (index != 0 && chunk_state(page_map_entry(index)) != CHUNK_NONE) {
        return find_in_region(index, ptr);
    }
    // Before the registry, which may lock: a signal handler frees such blocks.
    if (emergency_is_inside(ptr)) {
        return (struct block){BLOCK_EMERGENCY, BLOCK_OK, NULL, emergency_usable_bytes(ptr)};
    }
    if (UNLIKELY(guard_is_inside(ptr))) {
        struct block block = {BLOCK_GUARD, BLOCK_OK, NULL, 0};
        bool is_block = guard_find(ptr, &block.bytes) != GUARD_INTERIOR;
        block.fault = is_block ? BLOCK_OK : BLOCK_INTERIOR; // a freed one: see guard_give
        return block;
    }
    bool was_inside = thread_enter_bare();
    struct block block = find_huge(ptr);
    thread_leave_bare(was_inside);
    return block;
}

// ---- complaints ----

static void warn_foreign(void *ptr, const void *caller)
{
    static _Atomic(bool) g_warned;
    if (atomic_exchange_explicit(&g_warned, true, memory_order_relaxed)) {
        return; // one line a process
    }
    struct line line = {.used = 0};
    line_add(&line, "myalloc: warning: free of a foreign pointer: ");
    line_add_hex(&line, (uintptr_t)ptr);
    line_add(&line, ", called from ");
    fatal_add_place(&line, caller);
    line_write(&line, STDERR_FILENO);
}

// Mapped anonymous memory that is not ours: another allocator's, perhaps.
static void give_foreign(void *ptr, const void *caller)
{
    if (start_once() == START_FORWARDING) { // also reads the options
        __libc_free(ptr);
        return;
    }
    struct proc_maps_place place;
    proc_maps_find(ptr, &place);
    if (place.kind == PROC_MAPS_NOTHING || place.kind == PROC_MAPS_FILE ||
        place.kind == PROC_MAPS_STACK) {
        fatal_invalid_free(ptr, caller);
    }
    if (g_options.foreign == FOREIGN_ABORT) {
        fatal_foreign_free(ptr, caller);
    }
    if (g_options.foreign == FOREIGN_FORWARD) {
        __libc_free(ptr);
    } else {
        warn_foreign(ptr, caller);
    }
}

// For threads, whose thread pointer lies at the top of their stack; that of the main thread is
// known by its name, see give_foreign.
static bool is_on_own_stack(const void *ptr)
{
    char here;
    uintptr_t top = (uintptr_t)__builtin_thread_pointer();
    return (uintptr_t)ptr >= (uintptr_t)&here && (uintptr_t)ptr < top;
}

void block_complain(void *ptr, const struct block *block, const void *caller)
{
    if ((uintptr_t)ptr % BLOCK_ALIGN_BYTES != 0) {
        fatal_misaligned_free(ptr, caller);
    }
    if (block->fault == BLOCK_OF_POOL) {
        fatal_pool_block(ptr, caller);
    }
    if (block->fault == BLOCK_FREED) {
        fatal_double_free(ptr, block->bytes, caller);
    }
    if (block->fault == BLOCK_INTERIOR) {
        fatal_interior_free(ptr, block->bytes, caller);
    }
    if (huge_freed_bytes(ptr) != 0) {
        fatal_double_free(ptr, huge_freed_bytes(ptr), caller);
    }
    size_t holder_bytes = huge_holder_bytes(ptr);
    if (holder_bytes != 0) {
        holder_bytes = g_harden.is_on ? fence_huge_bytes_of(holder_bytes) : holder_bytes;
        fatal_interior_free(ptr, holder_bytes, caller);
    }
    if (is_on_own_stack(ptr)) {
        fatal_invalid_free(ptr, caller);
    }
    give_foreign(ptr, caller);
}

// ---- take ----

static bool is_for_region(size_t bytes)
{
    return bytes < limit_bytes();
}

static unsigned class_for(size_t bytes, size_t alignment)
{
    if (alignment > BLOCK_ALIGN_BYTES) {
        return size_class_of_aligned(bytes, alignment);
    }
    return bytes <= MEDIUM_BYTES_MAX ? size_class_of(bytes) : CLASSES;
}

static void *take_large(size_t bytes, size_t alignment, bool *clean)
{
    if (is_for_region(bytes) && alignment < HUGE_BYTES_MIN) {
        void *ptr = large_take(max_size(bytes, 1), alignment, clean);
        if (ptr != NULL) {
            if (*clean) {
                thin_out(bytes);
            }
            return ptr;
        } // no room in the region: a mapping may still be had
    }
    return huge_take(max_size(bytes, 1), alignment, clean);
}

static void *take_any(size_t bytes, size_t alignment, bool *clean)
{
    if (UNLIKELY(g_harden.is_on)) {
        *clean = true;
        return hardened_take(bytes, bytes, alignment);
    }
    unsigned sc = class_for(bytes, alignment);
    *clean = false;
    return sc < CLASSES ? cpu_cache_take(sc, clean) : take_large(bytes, alignment, clean);
}

// When memory is short: what lies in magazines may be what is needed.
static NOINLINE COLD void *take_after_trim(size_t bytes, size_t alignment, bool *clean)
{
    if (bytes > MEDIUM_BYTES_MAX && !is_for_region(bytes)) {
        return NULL; // no slab could serve it
    }
    cpu_cache_flush(false);
    depot_trim(false);
    if (g_harden.is_on) {
        hardened_trim(t_thread.caller);
    }
    return take_any(bytes, alignment, clean);
}

// Adds a block of a size class to what its slot has given out.
static NOINLINE COLD void count_handed(const void *ptr)
{
    size_t index = page_map_find(ptr);
    struct slot *slot = slot_is_open() ? slot_hint() : NULL;
    if (index != 0 && slot != NULL) {
        _Atomic(uint64_t) *handed = &slot->handed[page_map_bin(index)];
        atomic_fetch_add_explicit(handed, 1, memory_order_relaxed);
    }
}

void *block_take(size_t bytes, size_t alignment, bool *clean, const void *caller)
{
    if (UNLIKELY(!thread_enter(caller))) {
        *clean = true;
        return emergency_take(bytes, alignment);
    }
    void *ptr = take_any(bytes, alignment, clean);
    if (UNLIKELY(ptr == NULL)) {
        ptr = take_after_trim(bytes, alignment, clean);
    }
    view_tick();
    profiling_tick();
    if (UNLIKELY(start_counts_blocks())) {
        count_handed(ptr);
    }
    block_leave(caller);
    return ptr;
}

// A block whose free misses: all of them do, or it is large, or it gets a span of its own.
static COLD void *take_missing(size_t bytes, size_t alignment, bool *clean)
{
    unsigned sc = class_for(bytes, alignment);
    if (g_profile.is_in_place || g_harden.is_on || sc >= CLASSES) {
        void *ptr = take_any(bytes, alignment, clean);
        return ptr != NULL ? ptr : take_after_trim(bytes, alignment, clean);
    }
    return large_take_placed(size_class_bytes(sc), alignment, clean);
}

void *block_take_sampled(size_t bytes, size_t alignment, bool *clean, const void *caller)
{
    if (!thread_enter(caller)) {
        return block_take(bytes, alignment, clean, caller);
    }
    void *ptr = take_missing(bytes, alignment, clean);
    if (ptr != NULL) {
        profile_note(ptr, bytes, caller);
    } else {
        profile_lose();
    }
    cpu_cache_tick();
    view_tick();
    profiling_tick();
    block_leave(caller);
    return ptr != NULL ? ptr : block_take(bytes, alignment, clean, caller);
}

static void *take_growing_hardened(size_t bytes, size_t room, const void *caller)
{
    bool clean;
    if (!thread_enter(caller)) {
        return block_take(bytes, BLOCK_ALIGN_BYTES, &clean, caller);
    }
    void *ptr = hardened_take(bytes, room, BLOCK_ALIGN_BYTES);
    block_leave(caller);
    return ptr;
}

void *block_take_growing(size_t old_bytes, size_t bytes, const void *caller)
{
    bool clean;
    bool is_step = bytes > SMALL_BYTES_MAX && bytes - old_bytes <= old_bytes / GROWTH_STEP;
    size_t most = bytes <= MEDIUM_BYTES_MAX ? MEDIUM_BYTES_MAX : limit_bytes() - 1;
    size_t roomy = min_size(bytes + bytes / GROWTH_ROOM, most);
    if (UNLIKELY(g_harden.is_on)) {
        return take_growing_hardened(bytes, is_step ? roomy : bytes, caller);
    }
    if (is_step && bytes <= roomy && thread_enter(caller)) {
        void *ptr = roomy <= MEDIUM_BYTES_MAX ? cpu_cache_take(size_class_of(roomy), &clean)
                                              : large_take_growing(bytes, roomy);
        block_leave(caller);
        if (ptr != NULL) {
            return ptr;
        }
    }
    return block_take(bytes, BLOCK_ALIGN_BYTES, &clean, caller);
}

// ---- give ----

static void give_any(const struct block *block, void *ptr, const void *caller)
{
    if (profile_has_begun()) {
        profile_forget(ptr);
    }
    switch (block->kind) {
    case BLOCK_SLAB:
        cpu_cache_give(block->head->sc, ptr);
        break;
    case BLOCK_LARGE:
    case BLOCK_PLACED:
        view_peak();
        large_give(block->head);
        break;
    case BLOCK_HUGE:
        if (!huge_give(ptr)) {
            fatal_double_free(ptr, block->bytes, caller);
        }
        break;
    case BLOCK_SLOT:
    case BLOCK_FENCE:
        hardened_give(block, ptr, caller);
        break;
    case BLOCK_GUARD:
        guard_give(ptr, caller);
        break;
    case BLOCK_EMERGENCY:
    case BLOCK_NONE:
        break;
    }
}

static void give_one(void *ptr, const void *caller)
{
    struct block block = block_find(ptr); // BLOCK-1
    if (UNLIKELY(block.fault != BLOCK_OK)) {
        block_complain(ptr, &block, caller);
        return;
    }
    if (UNLIKELY(!thread_enter(caller))) {
        if (block.kind != BLOCK_EMERGENCY) {
            thread_defer_free(ptr, !g_harden.is_on && block.bytes >= THREAD_NOTE_BYTES);
        }
        return;
    }
    if (UNLIKELY(g_options.perturb != 0)) {
        memset(ptr, (int)g_options.perturb, block.bytes);
    }
    give_any(&block, ptr, caller);
    thread_leave();
}

void block_give_deferred(const void *caller)
{
    for (void *ptr = thread_take_deferred(); ptr != NULL; ptr = thread_take_deferred()) {
        give_one(ptr, caller);
    }
}

void block_give(void *ptr, const void *caller)
{
    if (UNLIKELY(start_mode() == START_FORWARDING)) {
        __libc_free(ptr);
        return;
    }
    give_one(ptr, caller);
    if (thread_has_deferred() && !thread_is_interrupted()) {
        block_give_deferred(caller);
    }
}

// ---- resize and trim ----

static void *resize_in(void *ptr, const struct block *block, size_t bytes, const void *caller)
{
    switch (block->kind) {
    case BLOCK_SLAB:
    case BLOCK_PLACED:
    case BLOCK_EMERGENCY:
        return NULL;
    case BLOCK_LARGE: {
        bool stays_large = bytes > MEDIUM_BYTES_MAX && is_for_region(bytes);
        return stays_large && large_resize(block->head, bytes) ? ptr : NULL;
    }
    case BLOCK_HUGE:
        // Also below a limit that has risen: moving page tables is cheaper than copying.
        return bytes >= min_size(limit_bytes(), HUGE_BYTES_MIN) ? huge_resize(ptr, bytes) : NULL;
    case BLOCK_SLOT:
    case BLOCK_FENCE:
        return hardened_resize(block, ptr, bytes, caller);
    case BLOCK_GUARD:
    case BLOCK_NONE:
        break;
    }
    return NULL;
}

static COLD void *resize_profiled(void *ptr, const struct block *block, size_t bytes,
                                  const void *caller)
{
    struct profile_hold hold;
    struct profile_sizes sizes = {block->bytes, bytes};
    profile_hold(&hold, ptr);
    void *resized = resize_in(ptr, block, bytes, caller);
    profile_resized(&hold, ptr, resized, &sizes, caller);
    return resized;
}

void *block_resize(void *ptr, const struct block *block, size_t bytes, const void *caller)
{
    bool is_hardened = block->kind == BLOCK_SLOT || block->kind == BLOCK_FENCE;
    bool fits = bytes <= block->bytes && !is_hardened;
    bool is_span = block->kind == BLOCK_LARGE || block->kind == BLOCK_HUGE;
    if (fits && !is_span && bytes >= block->bytes / 2) {
        return ptr;
    }
    if (!(is_span || is_hardened) || !thread_enter(caller)) {
        return NULL;
    }
    void *resized = profile_has_begun() ? resize_profiled(ptr, block, bytes, caller)
                                        : resize_in(ptr, block, bytes, caller);
    live_realloc(resized == ptr);
    block_leave(caller);
    return resized;
}

bool block_trim(size_t pad_bytes, const void *caller)
{
    if (!thread_enter(caller)) {
        return false;
    }
    cpu_cache_flush(true);
    size_t given = g_harden.is_on ? hardened_trim(caller) : 0;
    size_t purged = given + depot_trim(true);
    live_event(MYALLOC_LIVE_EVENT_PURGE, NULL, purged);
    purged += huge_release_cache();
    page_heap_give_waiting();
    bool released = purge_all(pad_bytes);
    block_leave(caller);
    return released || purged != 0;
}
