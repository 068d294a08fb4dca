/* block.h - one block of any tier, for the calling thread: find, take, give, resize. */
#ifndef THREAD_BLOCK_H
#define THREAD_BLOCK_H

#include "heap/bin.h"
#include "heap/heap.h"
#include "heap/medium.h"
#include "heap/slab.h"
#include "heap/view.h"
#include "heap/young.h"
#include "heap/size_class.h"
#include "thread/finding.h"
#include "thread/thread.h"

#include <stdbool.h>
#include <stddef.h>

// What stands at `ptr`; never dereferences it.
struct block block_find(const void *ptr);

// A block of at least `bytes` at a multiple of `alignment` (a power of two); NULL without memory.
// *clean: all bytes are zero.
void *block_take(size_t bytes, size_t alignment, bool *clean, const void *caller);

// The usual case of malloc behind an empty bin: a refill, or a medium block; NULL: take the long
// way.
static inline void *block_take_usual(size_t bytes, const void *caller)
{
    struct heap *heap = thread_try_enter(caller);
    if (UNLIKELY(heap == NULL)) {
        return NULL;
    }
    void *ptr = NULL;
    bool clean;
    if (bytes <= SMALL_BYTES_MAX) {
        unsigned class = size_class_of_small(bytes);
        ptr = bin_pop(heap, class); // NULL, unless a signal handler was here
        if (UNLIKELY(young_is(heap)) && ptr == NULL) {
            ptr = young_borrow(heap, class);
        }
        if (LIKELY(ptr == NULL)) {
            ptr = heap_refill(heap, class, false);
        }
    } else if (bytes <= MEDIUM_BYTES_MAX) {
        ptr = medium_take(heap, size_class_of_medium(bytes), &clean);
    }
    thread_leave_own(heap);
    return ptr;
}

// As block_take, for a block that a realloc moves because it grew: with room to grow again.
void *block_take_growing(size_t old_bytes, size_t bytes, const void *caller);

// The usual blocks that the fast path does not take: a medium one, or a small one of another
// thread. False: nothing was done, look closer.
static inline bool block_give_here(struct heap *heap, struct chunk *entry, void *ptr)
{
    enum chunk_state state = chunk_state(entry);
    bool is_usual = false;
    if (chunk_is_small(entry)) {
        is_usual = slab_block_index(entry, ptr) < slab_reached(entry) && chunk_owner(entry) != heap;
        if (LIKELY(is_usual)) {
            heap_free_foreign(heap, entry, ptr);
        }
    } else if ((state == CHUNK_MEDIUM || state == CHUNK_BODY) && medium_take_back(ptr)) {
        is_usual = true;
        medium_give(heap, entry->class, ptr);
    }
    return is_usual;
}

// The same of a heap that is bound, not checked, not busy.
static inline bool block_give_usual(void *ptr, const void *caller)
{
    size_t index = page_map_find(ptr);
    struct heap *heap = index != 0 ? thread_try_enter(caller) : NULL;
    if (UNLIKELY(heap == NULL)) {
        return false;
    }
    bool is_usual = block_give_here(heap, page_map_entry(index), ptr);
    thread_leave_own(heap);
    return is_usual;
}

// Frees `ptr` (not NULL); what is not a block in use is reported, see block_complain.
void block_give(void *ptr, const void *caller);

// True when realloc changes nothing, which is the usual case: a small block of this thread or a
// medium one, not too small and not twice too large; a large one in whose last page it ends. False:
// look closer.
static inline bool block_stays(const void *ptr, size_t bytes)
{
    size_t index = page_map_find(ptr);
    if (UNLIKELY(index == 0)) {
        return false;
    }
    const struct chunk *entry = page_map_entry(index);
    enum chunk_state state = chunk_state(entry);
    bool is_in_use = false;
    if (chunk_owner(entry) == t_cache.self) {
        is_in_use = slab_block_index(entry, ptr) < slab_reached(entry) && entry->free != ptr &&
                    t_cache.bins[entry->class] != ptr;
    } else if (state == CHUNK_MEDIUM || state == CHUNK_BODY) {
        is_in_use = medium_is_taken(ptr);
    } else if (state == CHUNK_LARGE && page_map_address(index) == ptr) {
        return entry->usable_bytes - bytes < PAGE_BYTES_MIN;
    }
    size_t block_bytes = size_class_bytes(entry->class);
    return is_in_use && bytes <= block_bytes && bytes >= block_bytes / 2;
}

// Resizes without copying: the block, perhaps moved; NULL when a copy is needed.
void *block_resize(void *ptr, const struct block *block, size_t bytes, const void *caller);

// Dies for what no allocator can have returned; other foreign pointers as the options say.
void block_complain(void *ptr, const struct block *block, const void *caller);

// The countdown of a slab of this thread ran down.
void block_slab_event(struct chunk *slab, const void *caller);

// malloc_trim: everything free that this thread can reach goes back; true when something did.
bool block_trim(size_t pad_bytes, const void *caller);

#endif
