/* block.c - one block of any tier.
 *
 * Owns:       the choice of the tier: by size in malloc, by address in free.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: BLOCK-1  a pointer is looked up before it is dereferenced.
 */
#include "front/block.h"

#include "base/check.h"
#include "base/fatal.h"
#include "base/line.h"
#include "base/options.h"
#include "base/os.h"
#include "base/proc_maps.h"
#include "core/depot.h"
#include "core/emergency.h"
#include "core/inherited.h"
#include "core/large.h"
#include "core/thin.h"
#include "front/mode.h"
#include "front/shadow.h"
#include "front/start.h"
#include "pages/huge.h"
#include "pages/limit.h"
#include "pages/page_heap.h"
#include "pages/purge.h"
#include "pages/span.h"

#include <string.h>
#include <unistd.h>

// Caches are not flushed for requests that exceed so many times what is in use, as a power of two.
#define FLUSH_SHIFT 10

extern void __libc_free(void *ptr);
extern void *__libc_realloc(void *ptr, size_t bytes);

// A block that realloc moves because it grew by at most an eighth will grow again: it gets half as
// much room again. One that grows by half or doubles needs none: it moves rarely.
#define GROWTH_STEP 8
#define GROWTH_ROOM 2

// ---- find ----

static struct block find_in_slab(struct chunk *slab, const void *ptr)
{
    ASSERT(slab->sc < CLASSES);
    struct block block = {BLOCK_SLAB, BLOCK_OK, slab, size_class_bytes(slab->sc)};
    if (slab_block_index(slab, ptr) == SLAB_NO_BLOCK) {
        block.fault = BLOCK_INTERIOR;
    } else if (cpu_cache_holds(slab->sc, ptr) ||
               inherited_is_marked(slab, slab_block_index(slab, ptr))) {
        block.fault = BLOCK_FREED; // not every free block can be told from one in use
    }
    return block;
}

static struct block find_in_region(size_t index, const void *ptr)
{
    ASSERT(index != 0);
    struct chunk *entry = page_map_entry(index);
    struct chunk *head = chunk_head(entry);
    switch (chunk_state(head)) {
    case CHUNK_SLAB:
        if (page_map_bin(index) != 0 || inherited_is_slab(index)) {
            return find_in_slab(head, ptr);
        } // else inside a block that was freed, and whose first chunk is in use again
        return (struct block){BLOCK_LARGE, BLOCK_FREED, head, 0};
    case CHUNK_LARGE:
    case CHUNK_PLACED: {
        bool begins = page_map_address(page_map_index(head)) == ptr;
        bool is_placed = chunk_state(head) == CHUNK_PLACED;
        return (struct block){is_placed ? BLOCK_PLACED : BLOCK_LARGE,
                              begins ? BLOCK_OK : BLOCK_INTERIOR, head, head->usable_bytes};
    }
    case CHUNK_HSLAB:
    case CHUNK_GUARDED:
    case CHUNK_POOL:
        return mode_find_in_chunk(head, ptr);
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
    if (mode_is(&g_mode.is_hardened)) {
        return mode_find_huge(ptr);
    }
    size_t bytes = huge_usable_bytes(ptr);
    if (bytes != 0) {
        return (struct block){BLOCK_HUGE, BLOCK_OK, NULL, bytes};
    }
    return (struct block){BLOCK_NONE, BLOCK_UNKNOWN, NULL, 0};
}

static NOINLINE COLD struct block find_in_emergency(const void *ptr)
{
    size_t bytes = emergency_usable_bytes(ptr);
    bool is_block = bytes != SIZE_MAX;
    return (struct block){BLOCK_EMERGENCY, is_block ? BLOCK_OK : BLOCK_FREED, NULL,
                          is_block ? bytes : 0};
}

struct block block_find(const void *ptr)
{
    size_t index = page_map_find(ptr);
    if (index != 0 && chunk_state(page_map_entry(index)) != CHUNK_NONE) {
        return find_in_region(index, ptr);
    }
    // Before the huge index, which may lock: signal handlers free such blocks.
    if (emergency_is_inside(ptr)) {
        return find_in_emergency(ptr);
    }
    struct block block;
    if (mode_is(&g_mode.samples) && mode_find(ptr, &block)) {
        return block;
    }
    bool was_inside = thread_enter_bare();
    block = find_huge(ptr);
    thread_leave_bare(was_inside);
    return block;
}

// ---- complaints ----

static COLD void warn_foreign(void *ptr, const void *caller)
{
    static _Atomic(bool) g_warned;
    if (atomic_exchange_explicit(&g_warned, true, memory_order_relaxed)) {
        return; // one line per process
    }
    struct line line = {.used = 0};
    line_add(&line, "myalloc: warning: free of a foreign pointer: ");
    line_add_hex(&line, (uintptr_t)ptr);
    line_add(&line, ", called from ");
    fatal_add_place(&line, caller);
    line_write(&line, STDERR_FILENO);
}

// The stack of a thread ends at its thread pointer. The main thread's is known by name in the maps;
// anything may lie between it and its thread pointer. A coroutine's stack is another mapping, again
// with anything in between; a guard page separates it from a thread's stack.
static bool is_on_own_stack(const void *ptr, const struct proc_maps_place *place)
{
    char here;
    uintptr_t top = (uintptr_t)__builtin_thread_pointer();
    bool is_main = os_thread_id() == os_process_id();
    bool is_one_mapping = !is_main && place->kind == PROC_MAPS_ANONYMOUS &&
                          place->start <= (uintptr_t)&here && top < place->end;
    return is_one_mapping && (uintptr_t)ptr >= (uintptr_t)&here && (uintptr_t)ptr < top;
}

// The function that frees or reallocates memory that is not ours but may be another allocator's.
// NULL: none, after a warning.
static NOINLINE COLD void *owner_of_foreign(void *ptr, enum shadow_call call, const void *caller)
{
    void *of_libc = call == SHADOW_FREE ? (void *)__libc_free : (void *)__libc_realloc;
    if (start_once() == START_FORWARDING) { // also reads the options
        return of_libc;
    }
    void *of_process = g_options.foreign == FOREIGN_IGNORE ? shadow_owner(call) : NULL;
    if (of_process != NULL) {
        return of_process;
    }
    struct proc_maps_place place;
    proc_maps_find(ptr, &place);
    if (place.kind == PROC_MAPS_NOTHING || place.kind == PROC_MAPS_FILE ||
        place.kind == PROC_MAPS_STACK || is_on_own_stack(ptr, &place)) {
        fatal_invalid_free(ptr, caller);
    }
    if (g_options.foreign == FOREIGN_ABORT ||
        (mode_is(&g_mode.is_hardened) && g_options.foreign == FOREIGN_IGNORE)) {
        fatal_foreign_free(ptr, caller);
    }
    if (g_options.foreign == FOREIGN_FORWARD) {
        return of_libc;
    }
    warn_foreign(ptr, caller);
    return NULL;
}

void *block_complain(void *ptr, const struct block *block, enum shadow_call call,
                     const void *caller)
{
    ASSERT(block->fault != BLOCK_OK);
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
        fatal_interior_free(ptr, mode_huge_bytes(holder_bytes), caller);
    }
    return owner_of_foreign(ptr, call, caller);
}

// ---- allocate ----

// A program may limit the number of mappings, even to 0, to reuse memory that it has touched.
static NOINLINE COLD bool has_maps_left(size_t maps)
{
    return huge_stats().live_blocks < maps;
}

static bool is_for_region(size_t bytes)
{
    size_t maps = limit_maps();
    return (bytes < limit_bytes() && (bytes < HUGE_BYTES_MIN || !limit_has_many())) ||
           (UNLIKELY(maps < MAPS_USUAL) && bytes < LIMIT_BYTES_MAX && !has_maps_left(maps));
}

static unsigned class_for(size_t bytes, size_t alignment)
{
    ASSERT(is_pow2(alignment));
    if (bytes > limit_slab_bytes()) {
        return CLASSES;
    }
    return alignment > BLOCK_ALIGN_BYTES ? size_class_of_aligned(bytes, alignment)
                                         : size_class_of(bytes);
}

static void *allocate_large(size_t bytes, size_t alignment, bool *clean)
{
    ASSERT(thread_is_inside());
    bool wants_zeros = *clean;
    if (is_for_region(bytes) && alignment < HUGE_BYTES_MIN) {
        void *ptr = large_allocate(max_size(bytes, 1), alignment, clean);
        if (ptr != NULL) {
            if (*clean) {
                thin_out(bytes);
            }
            return ptr;
        } // no room in the region: a mapping may still succeed
    }
    *clean = wants_zeros;
    return huge_allocate(max_size(bytes, 1), alignment, clean);
}

static void *allocate_any(size_t bytes, size_t alignment, bool *clean)
{
    ASSERT(thread_is_inside());
    if (mode_is(&g_mode.is_hardened)) {
        *clean = true;
        return mode_allocate(bytes, bytes, alignment);
    }
    unsigned sc = class_for(bytes, alignment);
    if (sc == CLASSES) {
        return allocate_large(bytes, alignment, clean);
    }
    return cpu_cache_allocate(alignment > BLOCK_ALIGN_BYTES ? sc : cpu_cache_class_at_first(sc),
                              clean);
}

// A large block may find room once free memory is unmapped. NULL: *clean is as before.
static NOINLINE COLD void *allocate_or_make_room(size_t bytes, size_t alignment, bool *clean)
{
    bool wants_zeros = *clean;
    void *ptr = allocate_any(bytes, alignment, clean);
    if (ptr == NULL && bytes > limit_slab_bytes() && huge_make_room(bytes)) {
        *clean = wants_zeros;
        ptr = allocate_any(bytes, alignment, clean);
    }
    *clean = ptr != NULL ? *clean : wants_zeros;
    return ptr;
}

// When memory is short: flushing the magazines of all CPUs, and quarantines, may free enough, also
// for a mapping.
static NOINLINE COLD void *allocate_after_trim(size_t bytes, size_t alignment, bool *clean)
{
    ASSERT(thread_is_inside());
    if (bytes >> FLUSH_SHIFT > span_used_bytes()) {
        return NULL; // impossible: it must not cost much
    }
    cpu_cache_flush(true);
    depot_trim(false);
    mode_trim(t_thread.caller);
    return allocate_or_make_room(bytes, alignment, clean);
}

// There is no room. The class itself may have blocks (cpu_cache_class_at_first). If only the tables
// of the region cannot grow because of other mappings, and there still is memory, each block gets a
// mapping of its own. If the kernel has no mapping left, the region may have a span.
static NOINLINE COLD void *allocate_elsewhere(size_t bytes, size_t alignment, bool *clean)
{
    ASSERT(thread_is_inside());
    void *ptr = NULL;
    unsigned sc = class_for(bytes, alignment);
    bool wants_zeros = *clean;
    if (!mode_is(&g_mode.is_hardened)) {
        if (sc < CLASSES) {
            ptr = cpu_cache_allocate(sc, clean);
        } else if (bytes < LARGE_BYTES_LIMIT && alignment < HUGE_BYTES_MIN) {
            ptr = large_allocate(max_size(bytes, 1), alignment, clean);
        }
        *clean = ptr != NULL ? *clean : wants_zeros;
        if (ptr == NULL && bytes <= SLAB_BYTES_MAX && page_map_is_walled()) {
            ptr = huge_allocate(max_size(bytes, 1), alignment, clean);
        }
    }
    *clean = ptr != NULL ? *clean : wants_zeros;
    ptr = ptr != NULL ? ptr : allocate_or_make_room(bytes, alignment, clean);
    return ptr != NULL ? ptr : allocate_after_trim(bytes, alignment, clean);
}

// Counts a block of a size class among those its slot has handed out.
static NOINLINE COLD void count_handed(const void *ptr)
{
    ASSERT(!mode_is_plain());
    size_t index = page_map_find(ptr);
    struct slot *slot = slot_is_open() ? slot_hint() : NULL;
    if (index != 0 && slot != NULL) {
        slot_count_handed(slot, page_map_bin(index));
    }
}

void *block_allocate(size_t bytes, size_t alignment, bool *clean, const void *caller)
{
    ASSERT(is_pow2(alignment));
    if (UNLIKELY(!thread_enter(caller))) {
        *clean = true;
        return emergency_allocate(bytes, alignment);
    }
    bool wants_zeros = *clean;
    void *ptr = allocate_any(bytes, alignment, clean);
    if (UNLIKELY(ptr == NULL)) {
        *clean = wants_zeros;
        ptr = allocate_elsewhere(bytes, alignment, clean);
    }
    ASSERT((uintptr_t)ptr % alignment == 0);
    mode_tick();
    if (mode_is(&g_mode.counts)) {
        count_handed(ptr);
    }
    block_leave(caller);
    return ptr;
}

// Allocates a block whose free misses: all frees do, or it is large, or it gets its own span.
static NOINLINE COLD void *allocate_missing(size_t bytes, size_t alignment, bool *clean)
{
    ASSERT(thread_is_inside());
    bool wants_zeros = *clean;
    unsigned sc = class_for(bytes, alignment);
    if (sc < CLASSES && !mode_samples_in_place()) {
        return large_allocate_placed(size_class_bytes(sc), alignment, clean);
    }
    void *ptr = allocate_any(bytes, alignment, clean);
    if (UNLIKELY(ptr == NULL)) {
        *clean = wants_zeros;
        ptr = allocate_elsewhere(bytes, alignment, clean);
    }
    return ptr;
}

void *block_allocate_sampled(size_t bytes, size_t alignment, bool *clean, const void *caller)
{
    ASSERT(is_pow2(alignment));
    if (!thread_enter(caller)) {
        return block_allocate(bytes, alignment, clean, caller);
    }
    bool wants_zeros = *clean;
    void *ptr = allocate_missing(bytes, alignment, clean);
    mode_note(ptr, bytes, caller);
    ASSERT((uintptr_t)ptr % alignment == 0);
    mode_tick();
    block_leave(caller);
    if (UNLIKELY(ptr == NULL)) {
        *clean = wants_zeros;
        ptr = block_allocate(bytes, alignment, clean, caller);
    }
    return ptr;
}

static void *allocate_growing_hardened(size_t bytes, size_t room, const void *caller)
{
    ASSERT(bytes <= room);
    bool clean = false;
    if (!thread_enter(caller)) {
        return block_allocate(bytes, BLOCK_ALIGN_BYTES, &clean, caller);
    }
    void *ptr = mode_allocate(bytes, room, BLOCK_ALIGN_BYTES);
    block_leave(caller);
    return ptr;
}

void *block_allocate_growing(size_t old_bytes, size_t bytes, const void *caller)
{
    ASSERT(bytes > old_bytes);
    bool clean = false;
    bool is_step = bytes > SMALL_BYTES_MAX && bytes - old_bytes <= old_bytes / GROWTH_STEP;
    size_t most = bytes <= MEDIUM_BYTES_MAX ? MEDIUM_BYTES_MAX : limit_bytes() - 1;
    size_t roomy = min_size(bytes + bytes / GROWTH_ROOM, most);
    if (mode_is(&g_mode.is_hardened)) {
        return allocate_growing_hardened(bytes, is_step ? max_size(roomy, bytes) : bytes, caller);
    }
    if (is_step && bytes <= roomy && thread_enter(caller)) {
        void *ptr = roomy <= MEDIUM_BYTES_MAX ? cpu_cache_allocate(size_class_of(roomy), &clean)
                                              : large_allocate_growing(bytes, roomy);
        block_leave(caller);
        if (ptr != NULL) {
            return ptr;
        }
    }
    return block_allocate(bytes, BLOCK_ALIGN_BYTES, &clean, caller);
}

// ---- free ----

static void free_any(const struct block *block, void *ptr, const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(block->fault == BLOCK_OK); // BLOCK-1
    if (mode_is(&g_mode.follows)) {
        mode_forget(ptr);
    }
    switch (block->kind) {
    case BLOCK_SLAB:
        ASSERT(block->head->sc < CLASSES);
        cpu_cache_free(block->head->sc, ptr);
        break;
    case BLOCK_LARGE:
    case BLOCK_PLACED:
        mode_peak();
        large_free(block->head);
        break;
    case BLOCK_HUGE:
        if (!huge_free(ptr)) {
            fatal_double_free(ptr, block->bytes, caller);
        }
        break;
    case BLOCK_SLOT:
    case BLOCK_GUARDED:
    case BLOCK_GUARD:
        mode_free(block, ptr, caller);
        break;
    case BLOCK_EMERGENCY:
    case BLOCK_NONE:
        break;
    }
}

static NOINLINE COLD void free_foreign(void *ptr, const struct block *block, const void *caller)
{
    void *owner = block_complain(ptr, block, SHADOW_FREE, caller);
    if (owner != NULL) {
        ((void (*)(void *))owner)(ptr);
    }
}

// Also called during a slow path.
static NOINLINE COLD void free_emergency(void *ptr, size_t bytes, const void *caller)
{
    if (!emergency_free(ptr)) {
        fatal_double_free(ptr, bytes, caller);
    }
}

static void free_one(void *ptr, const void *caller)
{
    ASSERT(ptr != NULL);
    struct block block = block_find(ptr); // BLOCK-1
    if (UNLIKELY(block.fault != BLOCK_OK)) {
        free_foreign(ptr, &block, caller);
        return;
    }
    if (UNLIKELY(block.kind == BLOCK_EMERGENCY)) {
        free_emergency(ptr, block.bytes, caller);
        return;
    }
    if (UNLIKELY(!thread_enter(caller))) {
        thread_defer_free(ptr, !mode_is(&g_mode.is_hardened) && block.bytes >= THREAD_NOTE_BYTES);
        return;
    }
    if (UNLIKELY(g_options.perturb != 0)) {
        memset(ptr, (int)g_options.perturb, block.bytes);
    }
    free_any(&block, ptr, caller);
    thread_leave();
}

void block_free_deferred(const void *caller)
{
    ASSERT(!thread_is_interrupted());
    for (void *ptr = thread_take_deferred(); ptr != NULL; ptr = thread_take_deferred()) {
        free_one(ptr, caller);
    }
}

void block_free(void *ptr, const void *caller)
{
    ASSERT(ptr != NULL);
    if (UNLIKELY(start_mode() == START_FORWARDING)) {
        __libc_free(ptr);
        return;
    }
    free_one(ptr, caller);
    if (thread_has_deferred() && !thread_is_interrupted()) {
        block_free_deferred(caller);
    }
}

// ---- resize and trim ----

static void *resize_in(void *ptr, const struct block *block, size_t bytes, const void *caller)
{
    ASSERT(thread_is_inside());
    ASSERT(block->fault == BLOCK_OK);
    switch (block->kind) {
    case BLOCK_SLAB:
    case BLOCK_PLACED:
    case BLOCK_EMERGENCY:
        return NULL;
    case BLOCK_LARGE: {
        bool stays_large =
            bytes > MEDIUM_BYTES_MAX && (bytes < limit_bytes() || is_for_region(bytes));
        return stays_large && large_resize(block->head, bytes) ? ptr : NULL;
    }
    case BLOCK_HUGE:
        // Also below a limit that has risen: moving page tables is cheaper than copying.
        return bytes >= min_size(limit_bytes(), HUGE_BYTES_MIN) ? huge_resize(ptr, bytes) : NULL;
    case BLOCK_SLOT:
    case BLOCK_GUARDED:
        return mode_resize(block, ptr, bytes, caller);
    case BLOCK_GUARD:
    case BLOCK_NONE:
        break;
    }
    return NULL;
}

void *block_resize(void *ptr, const struct block *block, size_t bytes, const void *caller)
{
    ASSERT(block->fault == BLOCK_OK);
    bool is_hardened = block->kind == BLOCK_SLOT || block->kind == BLOCK_GUARDED;
    bool is_span = block->kind == BLOCK_LARGE || block->kind == BLOCK_HUGE;
    if (!is_span && !is_hardened && block_suits(block->bytes, bytes)) {
        return ptr;
    }
    if (!(is_span || is_hardened) || !thread_enter(caller)) {
        return NULL;
    }
    void *resized = mode_is(&g_mode.follows)
                        ? mode_resize_followed(resize_in, ptr, block, bytes, caller)
                        : resize_in(ptr, block, bytes, caller);
    ASSERT(resized == NULL || (uintptr_t)resized % BLOCK_ALIGN_BYTES == 0);
    live_realloc(resized == ptr);
    block_leave(caller);
    return resized;
}

static bool trim(size_t pad_bytes, const void *caller)
{
    ASSERT(thread_is_inside());
    cpu_cache_flush(true);
    size_t purged = mode_trim(caller) + depot_trim(true);
    live_event(MYALLOC_LIVE_EVENT_PURGE, NULL, purged);
    purged += huge_release_cache();
    page_heap_free_waiting();
    bool released = purge_all(pad_bytes);
    if (live_is_on()) {
        mode_show(); // for those who may not read our memory
    }
    return released || purged != 0;
}

bool block_trim(size_t pad_bytes, const void *caller)
{
    if (!thread_enter(caller)) {
        return false;
    }
    bool released = trim(pad_bytes, caller);
    ASSERT(thread_is_inside());
    block_leave(caller);
    return released;
}

bool block_purge(void)
{
    return trim(0, t_thread.caller);
}
