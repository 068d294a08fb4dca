/* purge.c - a budget for dirty free memory, bounded by volume, tuned by refaults.
 *
 * Owns:       the budget: a share of the recent peak of memory in use, between 1/32 and all.
 * Threads:    any; the numbers are hints, a lost update costs a purge too many or too few.
 * Locks:      takes none; run_purge_step() and run_trim() take LOCK_RUN for one step each.
 * Invariants: PURGE-1  one call purges at most STEPS_MAX steps, so that no free waits long.
 *
 * A purge pays when the memory stays unused; when it is taken again at once, it cost a system
 * call and a page fault for nothing. So we count what of the purged memory came back into use:
 * each time that a budget's worth was purged, more than a quarter back, twice within a second,
 * quadruples the share; a second without halves it. Saw-tooth programs soon stop purging,
 * programs that change phase give back at once. No clock ticks, no thread: time is looked at when
 * somebody frees or refills.
 */
#include "arena/purge.h"

#include "arena/run.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/os.h"

#include <stdatomic.h>
#include <stdint.h>

#define SHARE_SHIFT_MAX 5 // 1/32 of the peak
#define STEPS_MAX       4 // of PURGE_STEP_BYTES each in one call: a quarter of a millisecond
#define QUIET_NS        1000000000ULL

static struct {
    struct purge_settings settings; // [const] after start, but for mallopt
    _Atomic(size_t) peak_bytes;     // recent peak of memory in use
    _Atomic(size_t) share_shift;    // budget = peak >> share_shift
    _Atomic(uint64_t) window_ns;    // when this window of counting began
    _Atomic(size_t) window_bytes;   // purged in it
    _Atomic(size_t) purged;         // granules, at the start of the window
    _Atomic(size_t) retaken;
    _Atomic(uint64_t) wasted_ns; // when a window last ended in which much was retaken
} g_purge = {.settings = {.enabled = true}, .share_shift = SHARE_SHIFT_MAX};

static size_t load(_Atomic(size_t) *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void store(_Atomic(size_t) *value, size_t to)
{
    atomic_store_explicit(value, to, memory_order_relaxed);
}

void purge_configure(const struct purge_settings *settings)
{
    g_purge.settings = *settings;
}

static size_t share_shift(void)
{
    return atomic_load_explicit(&g_purge.share_shift, memory_order_relaxed);
}

size_t purge_budget_bytes(void)
{
    size_t shift = share_shift();
    return clamp_size(load(&g_purge.peak_bytes) >> shift, RETAIN_BYTES_MIN,
                      RETAIN_BYTES_MAX << (SHARE_SHIFT_MAX - shift));
}

static void set_share_shift(size_t shift)
{
    atomic_store_explicit(&g_purge.share_shift, shift, memory_order_relaxed);
}

// The peak is forgotten by an eighth, down to what is in use.
static void forget_peak(void)
{
    size_t peak = load(&g_purge.peak_bytes);
    store(&g_purge.peak_bytes, max_size(run_used_bytes(), peak - peak / 8));
}

// Ends a window of counting: moves the share by one step at most.
static void adapt(uint64_t now)
{
    size_t purged = 0;
    size_t retaken = 0;
    run_refaults(&purged, &retaken);
    size_t purged_now = purged - load(&g_purge.purged);
    size_t retaken_now = retaken - load(&g_purge.retaken);
    uint64_t began = atomic_load_explicit(&g_purge.window_ns, memory_order_relaxed);
    uint64_t wasted = atomic_load_explicit(&g_purge.wasted_ns, memory_order_relaxed);
    if (retaken_now > purged_now / 4 && now - began < QUIET_NS) {
        if (now - wasted < QUIET_NS) { // not for the first time: no single change of phase
            set_share_shift(share_shift() - min_size(share_shift(), 2));
        }
        atomic_store_explicit(&g_purge.wasted_ns, now, memory_order_relaxed);
    } else if (now - max_size(began, wasted) >= QUIET_NS) {
        forget_peak();
        set_share_shift(min_size(share_shift() + 1, SHARE_SHIFT_MAX));
    }
    store(&g_purge.purged, purged);
    store(&g_purge.retaken, retaken);
    atomic_store_explicit(&g_purge.window_ns, now, memory_order_relaxed);
}

// Lowers the break when enough at its end is free: a share of the recent peak, so that a heap that
// breathes does not move the break with every breath.
static void trim_end(void)
{
    const struct purge_settings *settings = &g_purge.settings;
    size_t least = settings->trim_bytes != 0
                       ? settings->trim_bytes
                       : max_size(TRIM_BYTES_MIN, load(&g_purge.peak_bytes) >> share_shift());
    if (run_end_free_bytes() > least) {
        run_trim(max_size(settings->top_pad_bytes, least / 2));
    }
}

static void purge_down_to(size_t bytes)
{
    for (int i = 0; i < STEPS_MAX && run_dirty_bytes() > bytes; i++) { // PURGE-1
        size_t purged = run_purge_step();
        if (purged == 0) {
            return;
        }
        size_t volume = load(&g_purge.window_bytes) + purged;
        store(&g_purge.window_bytes, volume);
    }
}

size_t purge_peak_bytes(void)
{
    return load(&g_purge.peak_bytes);
}

void purge_consider(void)
{
    size_t used = run_used_bytes();
    if (used > load(&g_purge.peak_bytes)) {
        store(&g_purge.peak_bytes, used);
    }
    if (!g_purge.settings.enabled) {
        return;
    }
    size_t budget = purge_budget_bytes();
    if (run_dirty_bytes() > budget) {
        purge_down_to(budget / 2);
        if (load(&g_purge.window_bytes) > budget) {
            store(&g_purge.window_bytes, 0);
            adapt(os_now_ns());
        }
    } else {
        trim_end(); // what is dirty there is little: lowering the break takes no time
    }
}

bool purge_tick(void)
{
    uint64_t now = os_now_ns();
    if (now - atomic_load_explicit(&g_purge.window_ns, memory_order_relaxed) < QUIET_NS) {
        return false;
    }
    adapt(now);
    purge_consider();
    return true;
}

bool purge_all(size_t pad_bytes)
{
    bool released = run_trim(pad_bytes) != 0;
    while (run_purge_step() != 0) {
        released = true;
    }
    return released;
}
