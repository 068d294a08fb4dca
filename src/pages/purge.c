/* purge.c - purges free memory beyond the budget, and trims the end.
 *
 * Owns:       the settings of mallopt, and the window of a second.
 * Threads:    any; the numbers are hints, a lost update costs a purge too many or too few.
 * Locks:      takes none; span_purge_step() and span_trim() take LOCK_PAGE_HEAP for one step each.
 * Invariants: PURGE-1  a call purges at most STEPS_MAX steps, except at a low, or as a window ends.
 *
 * budget.c has the rules, which need no clock. The clock only refines them: what was not needed for
 * WINDOW_NS is purged at the next call.
 */
#include "pages/purge.h"

#include "pages/budget.h"
#include "pages/span.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/os.h"

#include <stdint.h>

#define TRIM_TOP_SHIFT  5 // 1/32 of the top: free memory at the end that is worth a system call
#define SPLIT_SHIFT     2 // of what is in use: more dirty memory splits huge pages
#define STEPS_MAX       4 // of PURGE_STEP_BYTES: a third of a millisecond
#define WINDOW_NS       1000000000ULL
#define FREES_PER_CLOCK 16 // frees per clock read

static struct {
    struct purge_settings settings; // [atomic] each of its fields: mallopt changes them
    size_t frees;                   // [atomic] frees seen
    uint64_t window_ns;             // [atomic] when this window began; 0: not yet
    size_t least_dirty;             // [atomic] bytes, in this window
    bool has_closed;                // [atomic] a window, and purge_tick() has not told so yet
} g_purge = {.settings = {.enabled = true}, .least_dirty = PTRDIFF_MAX};

void purge_configure(const struct purge_settings *settings)
{
    ASSERT(settings->top_pad_bytes <= PTRDIFF_MAX);
    RELAXED_STORE(g_purge.settings.enabled, settings->enabled);
    RELAXED_STORE(g_purge.settings.trim_bytes, settings->trim_bytes);
    RELAXED_STORE(g_purge.settings.top_pad_bytes, settings->top_pad_bytes);
}

bool purge_is_on(void)
{
    return RELAXED_LOAD(g_purge.settings.enabled);
}

bool purge_is_low(void)
{
    return purge_is_on() && budget_is_low();
}

// ---- the work ----

// Lowers the break if enough is free at the end; not while it would rise again at once.
static void trim_end(bool is_over)
{
    size_t trim_bytes = RELAXED_LOAD(g_purge.settings.trim_bytes);
    if (trim_bytes == 0 && budget_is_breathing() && !is_over) {
        return;
    }
    size_t share = max_size(TRIM_BYTES_MIN, budget_top_bytes() >> TRIM_TOP_SHIFT);
    size_t least = trim_bytes != 0 ? trim_bytes : is_over ? TRIM_BYTES_MIN : share;
    size_t end = span_end_free_bytes();
    if (end > least) {
        // PURGE-1: releasing dirty memory there takes as long as a purge
        size_t most = STEPS_MAX * PURGE_STEP_BYTES;
        ASSERT(least != 0);
        size_t kept = !is_over && end > most && span_dirty_bytes() > most ? end - most : 0;
        ASSERT(kept < end);
        span_trim(
            max_size(max_size(RELAXED_LOAD(g_purge.settings.top_pad_bytes), least / 2), kept));
    }
}

static void purge_down_to(size_t bytes, bool is_over)
{
    // What M_TRIM_THRESHOLD and M_TOP_PAD keep should not have to be faulted in again.
    bytes = max_size(bytes, RELAXED_LOAD(g_purge.settings.trim_bytes));
    bytes = max_size(bytes, RELAXED_LOAD(g_purge.settings.top_pad_bytes));
    ASSERT(bytes <= PTRDIFF_MAX);
    bool splits = is_over || span_dirty_bytes() > span_used_bytes() >> SPLIT_SHIFT;
    for (int i = 0; (i < STEPS_MAX || is_over) && span_dirty_bytes() > bytes; i++) { // PURGE-1
        ASSERT(is_over || i < STEPS_MAX);                                            // PURGE-1
        if (span_purge_step(splits) == 0) {
            return;
        }
    }
}

static void keep_budget(bool is_over)
{
    if (is_over) {
        trim_end(true); // one call releases all free memory there
    }
    size_t budget = budget_bytes();
    if (span_dirty_bytes() > budget) {
        budget_learn();
        budget = budget_bytes();
    }
    ASSERT(budget <= PTRDIFF_MAX);
    if (span_dirty_bytes() > budget) {
        bool breathes = budget_is_breathing() && !is_over;
        purge_down_to(breathes ? budget - budget / 8 : budget / 2, is_over);
    }
    trim_end(is_over); // little is dirty there by now: lowering the break is quick
}

// What lies on huge pages goes as whole units: it comes back at a hundredth of the price.
static NOINLINE COLD void purge_units(void)
{
    size_t unit = 0;
    while (span_purge_unit(&unit)) {
        ASSERT(unit != 0);
    }
}

// Purges what this window did not need, if it is over, and begins the next one.
static void close_window(void)
{
    uint64_t now = os_now_ns();
    uint64_t began = RELAXED_LOAD(g_purge.window_ns);
    if (began != 0 && now - began < WINDOW_NS) {
        return;
    }
    size_t unneeded = began != 0 ? RELAXED_LOAD(g_purge.least_dirty) : 0;
    ASSERT(unneeded <= PTRDIFF_MAX);
    RELAXED_STORE(g_purge.window_ns, now);
    RELAXED_STORE(g_purge.least_dirty, span_dirty_bytes());
    if (purge_is_on()) {
        size_t dirty = span_dirty_bytes();
        purge_down_to(dirty - min_size(dirty, unneeded), true);
    }
    RELAXED_STORE(g_purge.has_closed, began != 0);
}

void purge_consider(size_t given_bytes)
{
    ASSERT(given_bytes % CHUNK_BYTES == 0);
    size_t dirty = span_dirty_bytes();
    budget_follow_free(given_bytes);
    // Just before this free the dirty memory was at its least since the last one: in between,
    // memory was only allocated.
    size_t before = dirty - min_size(dirty, given_bytes);
    ASSERT(before <= dirty);
    if (before < RELAXED_LOAD(g_purge.least_dirty)) {
        RELAXED_STORE(g_purge.least_dirty, before);
    }
    if (purge_is_on()) {
        if (budget_is_waiting() && span_dirty_bytes() > RETAIN_BYTES_MIN) {
            purge_units();
        }
        keep_budget(budget_is_over());
        size_t frees = RELAXED_LOAD(g_purge.frees) + 1;
        RELAXED_STORE(g_purge.frees, frees);
        if (frees % FREES_PER_CLOCK == 0) {
            close_window();
        }
    }
}

bool purge_tick(void)
{
    close_window();
    return RELAXED_LOAD(g_purge.has_closed) &&
           __atomic_exchange_n(&g_purge.has_closed, false, __ATOMIC_RELAXED);
}

COLD bool purge_watch(void)
{
    bool waits = budget_watch();
    if (!waits && budget_is_over() && purge_is_on()) {
        keep_budget(true);
    }
    return waits;
}

bool purge_all(size_t pad_bytes)
{
    bool released = span_trim(pad_bytes) != 0;
    while (span_purge_step(true) != 0) {
        released = true;
    }
    return released;
}

void purge_check(void)
{
    budget_check();
    VERIFY(RELAXED_LOAD(g_purge.window_ns) <= os_now_ns());
}
