/* emergency.c - a bump allocator for when no other state of the allocator may be touched.
 *
 * Owns:       its areas, mapped on demand.
 * Threads:    any, also signal handlers.
 * Locks:      none: one compare-and-swap per block, one per area.
 * Invariants: EMERGENCY-1  the 16 bytes before a block hold its size and a word derived from its
 *                          address, which is cleared when the block is freed.
 *             EMERGENCY-2  an area is never unmapped, and points to the one before it.
 *             EMERGENCY-3  the free of the last block of an area resets it, in the same step;
 *                          or closes it in that step, and resets it once its pages are purged.
 *
 * Each area is twice as long as the one before, up to 1 GiB, so that there are few to search.
 * Blocks come from any of them that has room: the older ones are reset while the newest fills up.
 */
#include "core/emergency.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/os.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define AREA_BYTES   (1024UL * 1024) // the first; untouched pages cost nothing
#define AREAS_DOUBLE 10              // doublings; all further areas have 1 GiB
#define PURGE_BYTES  (256UL * 1024)  // more than that does not stay resident without a block
#define USED_BITS    42              // of the state, for bytes: up to EMERGENCY_BYTES_MAX and more
#define USED_MASK    ((1UL << USED_BITS) - 1)
#define ONE_BLOCK    (1UL << USED_BITS)
#define BLOCKS_MAX   (UINT64_MAX >> USED_BITS)

struct area {
    struct area *before;     // [const] EMERGENCY-2
    size_t bytes;            // [const] all of it
    unsigned number;         // [const] how many areas came before it
    _Atomic(uint64_t) state; // [atomic] bytes used, including this structure; blocks in use
    _Atomic(size_t) top;     // [atomic] bytes below were used before, and may not be zero
};

// Precedes each block.
struct head {
    size_t bytes;
    _Atomic(uint64_t) word; // [atomic] word_of() while the block is in use
};

#define AREA_HEAD_BYTES 64UL
static_assert(sizeof(struct area) <= AREA_HEAD_BYTES, "before the first block");
static_assert(sizeof(struct head) == BLOCK_ALIGN_BYTES, "EMERGENCY-1");

static _Atomic(struct area *) g_emergency; // the newest area

static struct area *newest(void)
{
    // acquire: pairs with the exchange in make_area
    return atomic_load_explicit(&g_emergency, memory_order_acquire);
}

static struct head *head_of(const void *block)
{
    return (struct head *)((uintptr_t)block - sizeof(struct head)); // NOLINT: the head before it
}

static uint64_t word_of(const void *block)
{
    return ~(uint64_t)(uintptr_t)block;
}

static bool holds(const struct area *area, const void *ptr)
{
    // The first block is preceded by this structure and by its head.
    size_t offset = (size_t)((const char *)ptr - (const char *)area);
    return offset > AREA_HEAD_BYTES && offset < area->bytes;
}

static struct area *area_of(const void *ptr)
{
    struct area *area = newest();
    while (area != NULL && !holds(area, ptr)) { // AREAS_DOUBLE + 1 steps, and one per further GiB
        area = area->before;
    }
    return area;
}

// Adds an area after `before`, the newest one; or returns the one that another thread added.
static NOINLINE COLD struct area *make_area(struct area *before, size_t least)
{
    ASSERT(least > AREA_HEAD_BYTES);
    unsigned number = before != NULL ? before->number + 1 : 0;
    size_t usual = AREA_BYTES << min_size(number, AREAS_DOUBLE);
    size_t bytes = align_up(max_size(usual, least), os_page_bytes());
    struct area *made = os_map(NULL, bytes);
    if (made == NULL && bytes > least) {
        bytes = align_up(least, os_page_bytes());
        made = os_map(NULL, bytes);
    }
    if (made == NULL) {
        return NULL;
    }
    made->before = before;
    made->bytes = bytes;
    made->number = number;
    atomic_init(&made->state, AREA_HEAD_BYTES);
    atomic_init(&made->top, AREA_HEAD_BYTES);
    if (!atomic_compare_exchange_strong_explicit(&g_emergency, &before, made, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        os_unmap(made, bytes);
        return before;
    }
    return made;
}

// Zeroes the part of a new block that was used before, and raises `top` over it.
static COLD void clear(struct area *area, char *start, size_t bytes)
{
    size_t at = (size_t)(start - (char *)area);
    ASSERT(at >= AREA_HEAD_BYTES && at + bytes <= area->bytes);
    size_t top = atomic_load_explicit(&area->top, memory_order_relaxed);
    if (at < top) {
        memset(start, 0, min_size(bytes, top - at));
    }
    while (top < at + bytes &&
           !atomic_compare_exchange_weak_explicit(&area->top, &top, at + bytes,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

static COLD void *take_from(struct area *area, size_t bytes, size_t unit)
{
    ASSERT(is_pow2(unit));
    ASSERT(unit >= BLOCK_ALIGN_BYTES);
    size_t whole = align_up(bytes + unit + BLOCK_ALIGN_BYTES, BLOCK_ALIGN_BYTES);
    uint64_t state = atomic_load_explicit(&area->state, memory_order_relaxed);
    size_t at;
    do {
        at = state & USED_MASK;
        if (area->bytes - at < whole || state >> USED_BITS == BLOCKS_MAX) {
            return NULL;
        }
        // acquire: pairs with the release in give_back, by the previous user of this memory
    } while (!atomic_compare_exchange_weak_explicit(&area->state, &state, state + whole + ONE_BLOCK,
                                                    memory_order_acquire, memory_order_relaxed));
    char *first = (char *)area + at;
    char *start = first + BLOCK_ALIGN_BYTES;
    char *block = start + (align_up((uintptr_t)start, unit) - (uintptr_t)start);
    ASSERT((uintptr_t)block % unit == 0);
    ASSERT((size_t)(block - (char *)area) + bytes <= area->bytes);
    clear(area, first, whole);
    head_of(block)->bytes = bytes; // EMERGENCY-1
    atomic_store_explicit(&head_of(block)->word, word_of(block), memory_order_relaxed);
    return block;
}

COLD void *emergency_allocate(size_t bytes, size_t alignment)
{
    size_t unit = max_size(alignment, BLOCK_ALIGN_BYTES);
    if (bytes > EMERGENCY_BYTES_MAX || unit > EMERGENCY_BYTES_MAX) {
        return NULL;
    }
    ASSERT(is_pow2(unit));
    void *block = NULL;
    for (struct area *area = newest(); block == NULL; area = area->before) {
        area = area != NULL ? area : make_area(newest(), bytes + 2 * unit + AREA_HEAD_BYTES);
        if (area == NULL) {
            return NULL;
        }
        block = take_from(area, bytes, unit);
    }
    return block;
}

// Purges the whole pages of a range of more than PURGE_BYTES.
static COLD bool purge_within(uintptr_t start, uintptr_t end)
{
    size_t page = os_page_bytes();
    uintptr_t from = align_up(start, page);
    return os_purge((void *)from, align_down(end, page) - from); // NOLINT: a part of the range
}

// Nobody takes a block of a closed area meanwhile: it has no room.
static COLD void purge_closed(struct area *area)
{
    size_t page = os_page_bytes();
    ASSERT(area->bytes > page + PURGE_BYTES);
    if (purge_within((uintptr_t)area + page, (uintptr_t)area + area->bytes)) {
        atomic_store_explicit(&area->top, page, memory_order_relaxed);
    }
    // release: pairs with the acquire in take_from
    atomic_store_explicit(&area->state, AREA_HEAD_BYTES, memory_order_release);
}

static COLD void give_back(struct area *area)
{
    ASSERT(area->bytes > AREA_HEAD_BYTES);
    uint64_t state = atomic_load_explicit(&area->state, memory_order_relaxed);
    uint64_t left;
    do {
        ASSERT(state >= ONE_BLOCK);
        left = state - ONE_BLOCK;
        if (left < ONE_BLOCK) { // EMERGENCY-3
            size_t top = atomic_load_explicit(&area->top, memory_order_relaxed);
            left = top > PURGE_BYTES ? area->bytes : AREA_HEAD_BYTES;
        }
        // release: pairs with the acquire in take_from
    } while (!atomic_compare_exchange_weak_explicit(&area->state, &state, left,
                                                    memory_order_acq_rel, memory_order_relaxed));
    if (left == area->bytes) {
        purge_closed(area);
    }
}

COLD bool emergency_free(void *ptr)
{
    struct area *area = area_of(ptr);
    ASSERT(area != NULL);
    uint64_t word = word_of(ptr); // EMERGENCY-1
    if (!atomic_compare_exchange_strong_explicit(&head_of(ptr)->word, &word, 0,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        return false;
    }
    if (head_of(ptr)->bytes > PURGE_BYTES) { // the area may keep other blocks for long
        purge_within((uintptr_t)ptr, (uintptr_t)ptr + head_of(ptr)->bytes);
    }
    give_back(area);
    return true;
}

bool emergency_is_inside(const void *ptr)
{
    return area_of(ptr) != NULL;
}

COLD size_t emergency_usable_bytes(const void *ptr)
{
    ASSERT(emergency_is_inside(ptr));
    bool is_block = (uintptr_t)ptr % BLOCK_ALIGN_BYTES == 0 &&
                    atomic_load_explicit(&head_of(ptr)->word, memory_order_relaxed) == word_of(ptr);
    return is_block ? head_of(ptr)->bytes : SIZE_MAX;
}
