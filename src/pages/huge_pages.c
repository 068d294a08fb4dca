/* huge_pages.c - asks the kernel for huge pages, as long as they come quickly.
 *
 * Owns:       what the first ones took.
 * Threads:    any.
 * Locks:      none.
 * Invariants: UNIT-1  without a clock nothing is asked for, but by huge_pages:always.
 */
#include "pages/huge_pages.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/os.h"

#include <stdatomic.h>
#include <stdint.h>

#define TRIALS       4U  // units that are timed: all of them slow, and we stop; one may be unlucky
#define SAMPLE_PAGES 128U // small ones, for comparison: more than a kernel has at hand

static struct {
    _Atomic(unsigned) mode;    // [atomic] enum huge_pages_mode; NEVER also once they came slowly
    _Atomic(unsigned) trials;  // [atomic] so far, TRIALS once one was quick
    _Atomic(uint64_t) page_ns; // [atomic] that a small page took
} g_huge_pages = {.mode = HUGE_PAGES_NEVER};

static unsigned mode(void)
{
    return atomic_load_explicit(&g_huge_pages.mode, memory_order_relaxed);
}

void huge_pages_set(enum huge_pages_mode to)
{
    bool fits = os_page_bytes() == PAGE_BYTES_MIN; // else a huge page is not HUGE_PAGE_BYTES
    atomic_store_explicit(&g_huge_pages.mode, fits ? to : HUGE_PAGES_NEVER, memory_order_relaxed);
}

bool huge_pages_are_for(size_t used_bytes)
{
    unsigned now = mode();
    return now == HUGE_PAGES_ALWAYS || (now == HUGE_PAGES_AUTO && used_bytes >= HUGE_PAGE_HEAP_MIN);
}

// Nanoseconds that the first write to each page took; 0: not known.
static uint64_t touch(char *start, size_t pages)
{
    uint64_t began = os_now_ns();
    for (size_t i = 0; i < pages; i++) {
        *(volatile char *)(start + i * PAGE_BYTES_MIN) = 0;
    }
    return began != 0 ? max_size(os_now_ns() - began, 1) : 0;
}

// Times the first write to one of the first units; false: they are not worth asking for.
static bool is_quick(char *unit)
{
    if (atomic_load_explicit(&g_huge_pages.trials, memory_order_relaxed) >= TRIALS) {
        return true;
    }
    uint64_t small = atomic_load_explicit(&g_huge_pages.page_ns, memory_order_relaxed);
    uint64_t took = touch(unit, 1);
    unsigned trials = atomic_fetch_add_explicit(&g_huge_pages.trials, 1, memory_order_relaxed) + 1;
    if (took != 0 && took <= small * (HUGE_PAGE_BYTES / PAGE_BYTES_MIN)) {
        atomic_store_explicit(&g_huge_pages.trials, TRIALS, memory_order_relaxed);
        return true;
    }
    return took != 0 && trials < TRIALS; // UNIT-1
}

// Writes to small pages of the first unit, which will be needed next; true: they were timed.
static bool is_sampled(char *unit)
{
    uint64_t unknown = 0;
    if (atomic_load_explicit(&g_huge_pages.page_ns, memory_order_relaxed) != 0) {
        return true;
    }
    uint64_t took = touch(unit, SAMPLE_PAGES) / SAMPLE_PAGES;
    atomic_compare_exchange_strong_explicit(&g_huge_pages.page_ns, &unknown, max_size(took, 1),
                                            memory_order_relaxed, memory_order_relaxed);
    return false;
}

static void ask(char *from, char *to)
{
    // Where small pages were purged before, their empty table would keep a huge one away: since
    // Linux 6.14 it goes when the whole unit is purged.
    os_purge(from, (size_t)(to - from));
    os_huge_pages(from, (size_t)(to - from), true);
    if (mode() == HUGE_PAGES_AUTO && !is_quick(from)) {
        os_huge_pages(from, (size_t)(to - from), false);
        atomic_store_explicit(&g_huge_pages.mode, HUGE_PAGES_NEVER, memory_order_relaxed);
    }
}

void huge_pages_ask(void *start, size_t bytes)
{
    size_t before = align_up((uintptr_t)start, HUGE_PAGE_BYTES) - (uintptr_t)start;
    if (before > bytes || mode() == HUGE_PAGES_NEVER) {
        return;
    }
    char *from = (char *)start + before;
    char *to = from + align_down(bytes - before, HUGE_PAGE_BYTES);
    if (from < to && mode() == HUGE_PAGES_AUTO && !is_sampled(from)) {
        from += HUGE_PAGE_BYTES;
    }
    if (from < to) {
        ask(from, to);
    }
}

void huge_pages_refuse(void *start, size_t bytes)
{
    os_huge_pages(start, bytes, false);
}
