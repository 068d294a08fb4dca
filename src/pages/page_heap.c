/* page_heap.c - allocates and frees spans for slabs and large blocks.
 *
 * Owns:       the few freed spans that wait; coordinates the modules of pages/.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: PAGE_HEAP-1  allocation fails only when no cached memory is left to release.
 *             PAGE_HEAP-2  waiting spans have at most WAIT_BYTES_MIN or a 32nd of what is in use.
 */
#include "pages/page_heap.h"

#include "pages/budget.h"
#include "pages/huge.h"
#include "pages/purge.h"
#include "pages/span.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"

#include <stdatomic.h>
#include <stdint.h>

#define WAITING        2              // spans at most
#define WAIT_BYTES_MIN (512UL * 1024) // together: as much as may be dirty anyway

static struct {
    _Atomic(uint64_t) waiting[WAITING]; // [atomic] index << 32 | length; 0 none
    _Atomic(uint32_t) next;             // [atomic] the place whose span waits longest
} g_page_heap;

// Releases both caches, even if the first one yields something.
static bool give_up_caches(void)
{
    bool any = page_heap_free_waiting();
    return huge_release_cache() != 0 || any;
}

static size_t allocate(size_t length, size_t alignment, bool is_dense, bool *clean)
{
    ASSERT(length != 0);
    ASSERT(is_pow2(alignment));
    size_t index = span_allocate(length, alignment, is_dense, clean);
    if (UNLIKELY(index == 0) && give_up_caches()) { // PAGE_HEAP-1
        index = span_allocate(length, alignment, is_dense, clean);
    }
    return index;
}

size_t page_heap_allocate(size_t length, size_t alignment, bool *clean)
{
    return allocate(length, alignment, false, clean);
}

size_t page_heap_allocate_dense(size_t length, bool *clean)
{
    ASSERT(length != 0);
    return allocate(length, 1, true, clean);
}

void page_heap_free(size_t index, size_t length)
{
    ASSERT(index != 0);
    ASSERT(length != 0);
    span_free(index, length);
    purge_consider(length << CHUNK_SHIFT);
    if (UNLIKELY(purge_is_low()) && huge_caches()) {
        huge_release_cache();
    }
}

// Replaces the span that waits in a place by another one, or by 0, and frees it.
static bool replace_waiting(unsigned place, uint64_t span)
{
    ASSERT(place < WAITING);
    ASSERT(span == 0 || (uint32_t)span != 0); // it has a length
    // acq_rel: whoever takes a span out sees what was written to it before
    uint64_t old =
        atomic_exchange_explicit(&g_page_heap.waiting[place], span, memory_order_acq_rel);
    if (old != 0) {
        page_heap_free(old >> 32, old & UINT32_MAX);
    }
    return old != 0;
}

bool page_heap_free_waiting(void)
{
    bool any = false;
    for (unsigned place = 0; place < WAITING; place++) {
        any |= replace_waiting(place, 0);
    }
    return any;
}

void page_heap_free_late(size_t index, size_t length)
{
    ASSERT(index != 0);
    ASSERT(length != 0);
    ASSERT(index <= UINT32_MAX);
    size_t used = span_used_bytes();
    bool is_short = length << CHUNK_SHIFT <= max_size(WAIT_BYTES_MIN, used / 32) / WAITING;
    if (is_short && used >= budget_top_bytes() / 2) { // PAGE_HEAP-2
        uint32_t place = atomic_fetch_add_explicit(&g_page_heap.next, 1, memory_order_relaxed);
        replace_waiting(place % WAITING, (uint64_t)index << 32 | length);
    } else { // large, or the heap is shrinking: it may be what holds up the break
        page_heap_free_waiting();
        page_heap_free(index, length);
    }
}

bool page_heap_tick(void)
{
    bool is_over = purge_tick();
    if (is_over) {
        huge_age();
        page_heap_free_waiting();
    }
    return is_over;
}

bool page_heap_watch(void)
{
    return budget_is_waiting() && purge_watch();
}
