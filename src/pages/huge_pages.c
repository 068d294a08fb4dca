/* huge_pages.c - asks the kernel for huge pages, as long as faulting them in is fast.
 *
 * Owns:       the time that units took.
 * Threads:    any.
 * Locks:      none.
 * Invariants: HUGE_PAGES-1  units of the heap stay huge only if a clock told that they are quick,
 *                           or with huge_pages:always.
 *
 * The only clock that no sandbox forbids is the coarse one, which advances in ticks. Differences of
 * its time are right on average: so several trials are summed, and compared with as many units of
 * small pages. Later ones are summed, too: the host may run out of memory that it has at hand.
 */
#include "pages/huge_pages.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/os.h"

#include <stdatomic.h>
#include <stdint.h>

#define TRIALS           4U       // units that are compared with small pages
#define WINDOW           64U      // units; older ones count half
#define SLOW_UNIT_NS     1500000U // clearing takes 0.2 ms, where the host must find memory 2 to 4
#define MAPPINGS_A_TIMED 8        // one of them is timed
#define TICKS_NS         8000000U // error of the clock: it counts in ticks of up to 4 ms
#define SAMPLE_PAGES     512U     // small pages timed for comparison: one unit

static struct {
    _Atomic(unsigned) mode;     // [atomic] enum huge_pages_mode; NEVER also once they were slow
    _Atomic(unsigned) units;    // [atomic] timed so far
    _Atomic(uint64_t) small_ns; // [atomic] time for a unit of small pages; 0: not sampled yet
    _Atomic(uint64_t) huge_ns;  // [atomic] time for these units
    _Atomic(unsigned) mappings; // [atomic] with a whole unit, so far
} g_huge_pages = {.mode = HUGE_PAGES_NEVER};

static unsigned mode(void)
{
    return atomic_load_explicit(&g_huge_pages.mode, memory_order_relaxed);
}

void huge_pages_set(enum huge_pages_mode to)
{
    ASSERT(to <= HUGE_PAGES_ALWAYS);
    bool fits = os_page_bytes() == PAGE_BYTES_MIN; // else a huge page is not HUGE_PAGE_BYTES
    atomic_store_explicit(&g_huge_pages.mode, fits ? to : HUGE_PAGES_NEVER, memory_order_relaxed);
}

bool huge_pages_are_for(size_t used_bytes)
{
    unsigned now = mode();
    return now == HUGE_PAGES_ALWAYS || (now == HUGE_PAGES_AUTO && used_bytes >= HUGE_PAGE_HEAP_MIN);
}

// Writes to each page; returns the nanoseconds that this took, as far as the coarse clock can tell,
// plus 1; 0: there is no clock.
static uint64_t touch(char *start, size_t pages)
{
    ASSERT(pages != 0);
    uint64_t began = os_now_ns();
    for (size_t i = 0; i < pages; i++) {
        *(volatile char *)(start + i * PAGE_BYTES_MIN) = 0;
    }
    return began != 0 ? os_now_ns() - began + 1 : 0;
}

// Times the small pages of a unit, which are needed next anyway; true: that was done before.
static bool is_sampled(char *unit)
{
    ASSERT((uintptr_t)unit % HUGE_PAGE_BYTES == 0);
    uint64_t unknown = 0;
    if (atomic_load_explicit(&g_huge_pages.small_ns, memory_order_relaxed) != 0) {
        return true;
    }
    uint64_t took = touch(unit, SAMPLE_PAGES);
    atomic_compare_exchange_strong_explicit(&g_huge_pages.small_ns, &unknown, took,
                                            memory_order_relaxed, memory_order_relaxed);
    return false;
}

bool huge_pages_note(uint64_t took_ns)
{
    uint64_t all =
        took_ns + atomic_fetch_add_explicit(&g_huge_pages.huge_ns, took_ns, memory_order_relaxed);
    unsigned units = 1 + atomic_fetch_add_explicit(&g_huge_pages.units, 1, memory_order_relaxed);
    ASSERT(units != 0);
    ASSERT(all >= took_ns);
    if (units >= WINDOW) {
        atomic_store_explicit(&g_huge_pages.huge_ns, all / 2, memory_order_relaxed);
        atomic_store_explicit(&g_huge_pages.units, units / 2, memory_order_relaxed);
    }
    uint64_t small = atomic_load_explicit(&g_huge_pages.small_ns, memory_order_relaxed);
    bool is_trial = units <= TRIALS;
    return took_ns != 0 && (!is_trial || all <= TRIALS * small + TICKS_NS) && // HUGE_PAGES-1
           all <= units * (uint64_t)SLOW_UNIT_NS + TICKS_NS;
}

// Times the first write to a unit; false: slower than its small pages would be.
static bool is_quick(char *unit)
{
    ASSERT((uintptr_t)unit % HUGE_PAGE_BYTES == 0);
    uint64_t took = touch(unit, 1);
    // HUGE_PAGES-1: the same clock timed small pages before
    ASSERT(took == 0 || atomic_load(&g_huge_pages.small_ns) != 0);
    return huge_pages_note(took);
}

// Makes a range small pages again, and asks for no more huge ones.
static void give_up(void *start, size_t bytes)
{
    ASSERT(bytes != 0);
    os_huge_pages(start, bytes, false);
    atomic_store_explicit(&g_huge_pages.mode, HUGE_PAGES_NEVER, memory_order_relaxed);
}

// Bytes from here to the next unit.
static size_t before_unit(const void *start)
{
    return align_up((uintptr_t)start, HUGE_PAGE_BYTES) - (uintptr_t)start;
}

static void ask(char *from, char *to)
{
    ASSERT(from < to);
    ASSERT((size_t)(to - from) % HUGE_PAGE_BYTES == 0);
    // After a purge of small pages, their empty page table would prevent a huge page: since Linux
    // 6.14 it is freed when the whole unit is purged.
    os_purge(from, (size_t)(to - from));
    os_huge_pages(from, (size_t)(to - from), true);
    if (mode() == HUGE_PAGES_AUTO && !is_quick(from)) {
        give_up(from, (size_t)(to - from));
    }
}

void huge_pages_ask(void *start, size_t bytes)
{
    size_t before = before_unit(start);
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

// Some mappings are written to in few places only: just the first ones are timed, and few others.
static bool is_next_timed(void)
{
    unsigned before = atomic_fetch_add_explicit(&g_huge_pages.mappings, 1, memory_order_relaxed);
    return mode() == HUGE_PAGES_AUTO && (before < 2 * TRIALS || before % MAPPINGS_A_TIMED == 0);
}

void huge_pages_ask_mapping(void *start, size_t bytes, bool is_new)
{
    ASSERT(((uintptr_t)start | bytes) % PAGE_BYTES_MIN == 0);
    if (mode() == HUGE_PAGES_NEVER) {
        return;
    }
    os_huge_pages(start, bytes, true);
    size_t before = before_unit(start);
    if (is_new && before + HUGE_PAGE_BYTES <= bytes && is_next_timed()) {
        uint64_t took = touch((char *)start + before, 1);
        if (took != 0 && !huge_pages_note(took)) {
            give_up(start, bytes);
        }
    }
}

void huge_pages_refuse(void *start, size_t bytes)
{
    ASSERT(bytes % HUGE_PAGE_BYTES == 0);
    os_huge_pages(start, bytes, false);
}
