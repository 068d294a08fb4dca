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

// What stands at `ptr`; never dereferences it.
struct block block_find(const void *ptr);

// A block of at least `bytes` at a multiple of `alignment` (a power of two); NULL without memory.
// *clean: zeros are wanted; afterwards: all bytes are zero.
void *block_allocate(size_t bytes, size_t alignment, bool *clean, const void *caller);

// The same for a request that the profile samples.
NOINLINE COLD void *block_allocate_sampled(size_t bytes, size_t alignment, bool *clean,
                                           const void *caller);

// Frees what handlers freed in the middle of the slow path that has ended.
NOINLINE COLD void block_free_deferred(const void *caller);

// Ends what thread_enter() began.
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

// The usual case of malloc behind a miss: a block of a size class; NULL: take the long way.
static inline void *block_allocate_usual(size_t bytes, const void *caller)
{
    if (UNLIKELY(bytes > MEDIUM_BYTES_MAX) && bytes > limit_slab_bytes()) {
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
        ptr != NULL ? cpu_cache_tick() : (void)(ptr = cpu_cache_allocate(sc, &clean));
        block_leave(caller);
    }
    return ptr;
}

// As block_allocate, for a block that a realloc moves because it grew: with room to grow again.
void *block_allocate_growing(size_t old_bytes, size_t bytes, const void *caller);

// The usual case of free behind a miss: a block of a size class. False: nothing was done, look
// closer.
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

// Frees `ptr` (not NULL); what is not a block in use is reported, see block_complain.
void block_free(void *ptr, const void *caller);

// True when realloc changes nothing, which is the usual case: a block of a size class that is not
// too small and not twice too large; a large one in whose last page it ends. False: look closer.
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
        return bytes <= block_bytes && bytes >= block_bytes / 2 &&
               slab_block_index(slab_of(ptr), ptr) != SLAB_NO_BLOCK &&
               !cpu_cache_may_hold(bin - 1, ptr);
    }
    const struct chunk *entry = page_map_entry(index);
    return chunk_state(entry) == CHUNK_LARGE && page_map_address(index) == ptr &&
           entry->usable_bytes - bytes < PAGE_BYTES_MIN;
}

// Resizes without copying: the block, perhaps moved; NULL when a copy is needed.
void *block_resize(void *ptr, const struct block *block, size_t bytes, const void *caller);

// Dies for what no allocator can have returned; of other foreign pointers, as the options say, the
// function that does the call in our place; NULL: nobody does it.
COLD void *block_complain(void *ptr, const struct block *block, enum shadow_call call,
                          const void *caller);

// malloc_trim: everything free goes back; true when something did.
bool block_trim(size_t pad_bytes, const void *caller);
// The same inside of a slow path.
COLD bool block_purge(void);

#endif
