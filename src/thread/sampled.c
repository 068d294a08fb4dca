/* sampled.c - guard:N: which block is sampled.
 *
 * Owns:       the sample_ fields of a heap.
 * Threads:    any, each its own heap.
 * Locks:      takes none itself.
 * Invariants: SAMPLED-1  every block up to a page is as likely as any other to be the one.
 *
 * The fast path counts nothing, but a refill tells how many blocks it put into the bin. When the
 * one to be sampled is among them, the list is cut there: what is behind it waits on the foreign
 * list, and the next request of the class, which then misses, is the one. Heaps are BUSY_SAMPLED
 * for this, so that the usual slow paths fail at the test that they have anyway.
 */
#include "thread/sampled.h"

#include "base/os.h"
#include "heap/guard.h"
#include "heap/heap.h"
#include "heap/medium.h"
#include "heap/rack.h"
#include "heap/slab.h"
#include "heap/size_class.h"
#include "thread/block.h"
#include "thread/thread.h"

static struct heap *enter(const void *caller)
{
    struct heap *heap = t_cache.self;
    if (((uintptr_t)heap & 1) != 0 || heap->busy != BUSY_SAMPLED) {
        return NULL;
    }
    heap->busy = BUSY_SAMPLED | BUSY_INSIDE;
    heap->caller = caller;
    atomic_signal_fence(memory_order_seq_cst); // signal handlers see `busy` first
    return heap;
}

static void leave(struct heap *heap)
{
    atomic_signal_fence(memory_order_seq_cst);
    heap->busy = BUSY_SAMPLED;
}

// As far away as the last one on average, from 1 to twice that.
static NOINLINE void draw(struct heap *heap)
{
    if (heap->sample_random == 0) {
        heap->sample_random = os_random() | 1;
    }
    uint64_t random = rack_random(&heap->sample_random) >> 1;
    heap->sample_left = (int64_t)(random % (2 * g_guard.every)) + 1;
}

// Leaves `kept` blocks of a bin where they are; the rest of its list waits for another refill.
static NOINLINE void cut(struct heap *heap, unsigned class, size_t kept)
{
    struct foreign_list *foreign = &heap->foreign[class];
    void *last = NULL;
    void *rest = bin_first(heap, class);
    for (size_t i = 0; i < kept && rest != NULL; i++) {
        last = rest;
        rest = block_next(rest);
    }
    if (last != NULL) {
        block_set_next(last, NULL);
    } else {
        bin_set_first(heap, class, NULL);
    }
    while (rest != NULL) {
        void *next = block_next(rest);
        block_set_next(rest, foreign->head);
        foreign->head = rest;
        foreign->count++;
        rest = next;
    }
}

static void *take_small(struct heap *heap, unsigned class)
{
    // What free put into the bin was given out again, uncounted until now.
    heap->sample_left -= bin_absorbed(heap, class);
    uint64_t before = heap->handed[class] + bin_absorbed(heap, class);
    void *ptr = heap_refill(heap, class, false);
    int64_t count = (int64_t)(heap->handed[class] - before);
    heap->sample_left -= count;
    if (UNLIKELY(heap->sample_left <= 0) && ptr != NULL) {
        int64_t kept = count - 1 + heap->sample_left;
        cut(heap, class, kept > 0 ? (size_t)kept : 0);
        heap->sample_next |= 1U << class;
        draw(heap);
    }
    return ptr;
}

static void *take_medium(struct heap *heap, size_t bytes, const void *caller)
{
    bool clean;
    void *ptr = NULL;
    if (UNLIKELY(--heap->sample_left <= 0) && bytes <= os_page_bytes()) {
        draw(heap);
        ptr = guard_take(bytes, heap->sample_random, caller);
    }
    return ptr != NULL ? ptr : medium_take(heap, size_class_of_medium(bytes), &clean);
}

void *sampled_take_usual(size_t bytes, const void *caller)
{
    struct heap *heap = bytes <= MEDIUM_BYTES_MAX ? enter(caller) : NULL;
    if (UNLIKELY(heap == NULL)) {
        return NULL;
    }
    if (UNLIKELY(heap->sample_random == 0)) {
        draw(heap);
    }
    void *ptr = NULL;
    if (bytes > SMALL_BYTES_MAX) {
        ptr = take_medium(heap, bytes, caller);
    } else {
        unsigned class = size_class_of_small(bytes);
        if (UNLIKELY((heap->sample_next >> class & 1) != 0)) {
            heap->sample_next &= ~(1U << class);
            ptr = guard_take(bytes, heap->sample_random, caller);
        }
        ptr = ptr != NULL ? ptr : take_small(heap, class);
    }
    leave(heap);
    return ptr;
}

bool sampled_give_usual(void *ptr, const void *caller)
{
    if (UNLIKELY(guard_is_inside(ptr))) {
        size_t bytes;
        bool is_block = guard_find(ptr, &bytes) != GUARD_INTERIOR;
        if (UNLIKELY(thread_is_interrupted())) { // it waits, linked; too short for that: lost
            return is_block && bytes < sizeof(void *);
        }
        struct heap *heap = is_block ? enter(caller) : NULL;
        if (heap == NULL) {
            return false;
        }
        guard_give(ptr, caller);
        leave(heap);
        return true;
    }
    size_t index = page_map_find(ptr);
    struct heap *heap = index != 0 ? enter(caller) : NULL;
    if (heap == NULL) {
        return false;
    }
    bool is_usual = block_give_here(heap, page_map_entry(index), ptr);
    leave(heap);
    return is_usual;
}
