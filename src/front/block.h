/* block.h - one block of any tier, for the calling thread: find, allocate, free, resize. */
#ifndef FRONT_BLOCK_H
#define FRONT_BLOCK_H

#include "base/check.h"
#include "core/cpu_cache.h"
#include "core/finding.h"
#include "core/size_class.h"
#include "core/slab.h"
#include "core/slot.h"
#include "core/thread.h"
#include "front/shadow.h"
#include "pages/limit.h"

#include <stdbool.h>
#include <stddef.h>

#define SUITS_ALWAYS 64U // bytes of a block that realloc never moves because it is too large

// Looks up what is at `ptr`, without dereferencing it.
struct block block_find(const void *ptr);

// Allocates at least `bytes` at a multiple of `alignment` (a power of two); NULL when out of
// memory. *clean: in: zeros are wanted; out: all bytes are zero.
void *block_allocate(size_t bytes, size_t alignment, bool *clean, const void *caller);

// The same for a request that the heap profile samples.
NOINLINE COLD void *block_allocate_sampled(size_t bytes, size_t alignment, bool *clean,
                                           const void *caller);

// Frees the blocks that signal handlers freed during the slow path that has just ended.
NOINLINE COLD void block_free_deferred(const void *caller);

// Leaves the slow path entered by thread_enter().
static inline void block_leave(const void *caller)
{
    ASSERT(thread_is_inside());
    thread_leave();
    if (thread_has_deferred()) {
        block_free_deferred(caller);
    }
    if (UNLIKELY(t_thread.watches_exit)) {
        slot_watch_exit();
    }
}

// The usual case of malloc after a miss: a block of a size class. NULL: take the long path.
static inline void *block_allocate_usual(size_t bytes, const void *caller)
{
    if (UNLIKELY(bytes > limit_slab_bytes())) {
        return NULL;
    }
    unsigned sc = size_class_of(bytes);
    void *ptr = slot_pop_restarted(sc);
    if (LIKELY(ptr != NULL) && LIKELY(bytes > SMALL_BYTES_MAX)) {
        return ptr;
    }
    if (LIKELY(thread_enter(caller))) {
        bool clean;
        if (ptr == NULL) {
            ptr = slot_pop_own(sc);
        }
        ptr != NULL ? cpu_cache_tick()
                    : (void)(ptr = cpu_cache_allocate(cpu_cache_class_at_first(sc), &clean));
        block_leave(caller);
    }
    return ptr;
}

// As block_allocate, for a block that realloc moves because it grew: leaves room to grow again.
void *block_allocate_growing(size_t old_bytes, size_t bytes, const void *caller);

// The usual case of free after a miss: a block of a size class. False: nothing was done, take the
// long path.
static inline bool block_free_usual(void *ptr, const void *caller)
{
    ASSERT(ptr != NULL);
    size_t index = page_map_find(ptr);
    unsigned bin = index != 0 ? page_map_bin(index) : 0;
    if (UNLIKELY(bin == 0) || UNLIKELY(slab_block_index(slab_of(ptr), ptr) == SLAB_NO_BLOCK) ||
        UNLIKELY(!thread_enter(caller))) {
        return false;
    }
    cpu_cache_free(bin - 1, ptr);
    block_leave(caller);
    return true;
}

// Frees `ptr` (not NULL); a pointer that is not a block in use is reported, see block_complain.
void block_free(void *ptr, const void *caller);

// True if a block of a size class may stay as it is where realloc asks for so many bytes: it is
// large enough, and less than twice too large, or too small to matter.
static inline bool block_suits(size_t block_bytes, size_t bytes)
{
    ASSERT(block_bytes != 0);
    return bytes != 0 && bytes <= block_bytes &&
           (bytes >= block_bytes / 2 || block_bytes <= SUITS_ALWAYS);
}

// True when realloc can keep the block, the usual case: a block of a size class that suits, or a
// large one whose last page holds the new end. False: undecided.
static inline bool block_stays(const void *ptr, size_t bytes)
{
    ASSERT(ptr != NULL);
    size_t index = page_map_find(ptr);
    if (UNLIKELY(index == 0)) {
        return false;
    }
    unsigned bin = page_map_bin(index);
    if (bin != 0) {
        size_t block_bytes = size_class_bytes(bin - 1);
        return block_suits(block_bytes, bytes) &&
               slab_block_index(slab_of(ptr), ptr) != SLAB_NO_BLOCK &&
               !cpu_cache_may_hold(bin - 1, ptr);
    }
    const struct chunk *entry = page_map_entry(index);
    return chunk_state(entry) == CHUNK_LARGE && page_map_address(index) == ptr &&
           entry->usable_bytes - bytes < PAGE_BYTES_MIN;
}

// Resizes without copying; returns the block, possibly moved, or NULL when a copy is needed.
void *block_resize(void *ptr, const struct block *block, size_t bytes, const void *caller);

// Dies for a pointer that no allocator can have returned. For other foreign pointers, depending on
// the options, returns the function to forward the call to, or NULL to ignore the call.
COLD void *block_complain(void *ptr, const struct block *block, enum shadow_call call,
                          const void *caller);

// malloc_trim: returns all free memory to the kernel; true when there was any.
bool block_trim(size_t pad_bytes, const void *caller);
// The same inside a slow path.
COLD bool block_purge(void);

#endif
