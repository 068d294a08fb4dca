/* medium.h - blocks of 1 to 32 KiB: slabs shared by all threads, magazines in front of them.
 *
 * Functions with a heap are for its owner, with heap->busy set; the others for any thread. */
#ifndef HEAP_MEDIUM_H
#define HEAP_MEDIUM_H

#include "base/compiler.h"
#include "heap/heap_data.h"

#include <stdbool.h>
#include <stddef.h>

enum medium_finding {
    MEDIUM_IN_USE,
    MEDIUM_FREED,    // the block that begins here is free: a double free
    MEDIUM_INTERIOR, // no block begins here
};

// Gives a new heap its magazines, all empty.
void medium_init(struct heap *heap);

// Blocks that a magazine may ever hold: 32 KiB worth of its class, but 2 to 16.
static inline unsigned magazine_slots(unsigned shelf)
{
    unsigned slots = MAGAZINE_BLOCKS_MAX >> shelf / 8; // half of them in each doubling to 4 KiB
    return shelf < 21 ? slots : MAGAZINE_BLOCKS_MIN;
}

// The byte of the KiB in which `ptr`, an address in a medium slab, lies.
static inline _Atomic(uint8_t) *medium_hold_byte(const void *ptr)
{
    uintptr_t offset = (uintptr_t)ptr - g_page_map.base;
    struct remote *remote = page_map_remote(offset >> CHUNK_SHIFT);
    return &remote->holds[(offset >> HOLD_SHIFT) % (CHUNK_BYTES >> HOLD_SHIFT)];
}

// What the byte of a block that begins at `ptr` is when its hold is `hold`.
static inline uint8_t medium_hold_code(const void *ptr, enum medium_hold hold)
{
    unsigned place = ((uintptr_t)ptr >> HOLD_UNIT_SHIFT) & 7;
    return (uint8_t)((unsigned)hold | place << 3);
}

static inline enum medium_hold medium_hold(const void *ptr)
{
    return (enum medium_hold)(atomic_load_explicit(medium_hold_byte(ptr), memory_order_relaxed) &
                              7);
}

static inline void medium_set_hold(const void *ptr, enum medium_hold hold)
{
    atomic_store_explicit(medium_hold_byte(ptr), medium_hold_code(ptr, hold), memory_order_relaxed);
}

// A block in its user's hands begins at `ptr`, an address in a span of chunks that is a medium
// slab or was one.
static inline bool medium_is_taken(const void *ptr)
{
    uint8_t byte = atomic_load_explicit(medium_hold_byte(ptr), memory_order_relaxed);
    return (uintptr_t)ptr % (1U << HOLD_UNIT_SHIFT) == 0 &&
           byte == medium_hold_code(ptr, HOLD_USER);
}

// Takes the block that begins at `ptr` out of its user's hands; false when there is none.
static inline bool medium_take_back(const void *ptr)
{
    if (UNLIKELY(!medium_is_taken(ptr))) {
        return false;
    }
    atomic_store_explicit(medium_hold_byte(ptr), medium_hold_code(ptr, HOLD_FREE),
                          memory_order_relaxed);
    return true;
}

// Fills an empty magazine; the number of blocks in it, 0 without memory.
NOINLINE unsigned magazine_fill(struct heap *heap, unsigned class);
// Puts the older half of a full magazine back; the number of blocks left in it. A program that only
// frees gets small ones: what lies in a magazine keeps its slab.
NOINLINE unsigned magazine_make_room(struct heap *heap, unsigned class);

// A block of a medium class; NULL without memory. *clean: all bytes are zero.
static inline void *medium_take(struct heap *heap, unsigned class, bool *clean)
{
    unsigned shelf = class - SMALL_CLASSES;
    unsigned count = heap->magazine_count[shelf];
    if (UNLIKELY(count == 0)) {
        count = magazine_fill(heap, class);
        if (count == 0) {
            return NULL;
        }
    }
    heap->magazine_count[shelf] = (uint8_t)(count - 1);
    void *ptr = heap->magazine[shelf][count - 1];
    _Atomic(uint8_t) *byte = medium_hold_byte(ptr);
    uint8_t in_use = medium_hold_code(ptr, HOLD_USER);
    *clean = atomic_load_explicit(byte, memory_order_relaxed) == in_use + HOLD_FRESH - HOLD_USER;
    atomic_store_explicit(byte, in_use, memory_order_relaxed);
    heap->magazine_handed[shelf]++;
    return ptr;
}

// Puts a block that was taken back into the magazine: one below its top, so that the next request
// gets another block than the one just freed, which its last user may still write to.
static inline void medium_give(struct heap *heap, unsigned class, void *ptr)
{
    unsigned shelf = class - SMALL_CLASSES;
    unsigned count = heap->magazine_count[shelf];
    if (UNLIKELY(count >= heap->magazine_limit[shelf])) {
        count = magazine_make_room(heap, class);
    }
    void **top = &heap->magazine[shelf][count];
    if (LIKELY(count != 0)) {
        top[0] = top[-1];
        top--;
    }
    *top = ptr;
    heap->magazine_count[shelf] = (uint8_t)(count + 1);
}

// What stands at `ptr`, which lies in the slab that begins at `slab`.
enum medium_finding medium_find(const struct chunk *slab, const void *ptr);

// The same without a heap: straight into its slab.
void medium_give_direct(struct chunk *slab, void *ptr);

// Empties all magazines.
void medium_flush(struct heap *heap);

// Purges whole pages of free blocks; bytes given back. For malloc_trim.
size_t medium_purge(void);

// Blocks of a slab that are in the user's hands.
unsigned medium_live_count(const struct chunk *slab);

void medium_check(void);

void medium_prefork(void);
void medium_postfork_parent(void);
void medium_postfork_child(void);

#endif
