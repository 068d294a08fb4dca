/* purge.c - how much dirty free memory may stay, tuned by refaults and by what nobody needs.
 *
 * Owns:       the recent peak of memory in use, and the budget that follows from it.
 * Threads:    any; the numbers are hints, a lost update costs a purge too many or too few.
 * Locks:      takes none; span_purge_step() and span_trim() take LOCK_PAGE_HEAP for one step each.
 * Invariants: PURGE-1  one call purges at most STEPS_MAX steps, so that no free waits long.
 * States:     CAUTIOUS -> BREATHING (what was purged is taken again at once);
 *             BREATHING -> CAUTIOUS (much of the memory was not needed for a whole window).
 *
 * A purge pays when the memory stays unused; when it is taken again at once, it cost a system
 * call and a page fault, as much as 200 pairs of malloc and free, for nothing. Two rules:
 *
 * By volume. CAUTIOUS: a small share of the recent peak may be dirty; a program that frees all it
 * has and then sleeps keeps no more. Once a quarter of what was purged comes back into use within
 * a window, the heap is BREATHING: all may stay that was in use at the recent peak, so that
 * memory in use and dirty memory together never exceed that peak by more than a share.
 *
 * By need. The least dirty memory of a window of time is what nobody needed for so long: it goes
 * back, however much the budget allows. When it is taken again in the next window, windows double.
 *
 * No clock ticks, no thread: time is looked at when somebody frees or refills.
 */
#include "pages/purge.h"

#include "pages/span.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/config.h"
#include "base/os.h"

#include <stdatomic.h>
#include <stdint.h>

#define CAUTIOUS_SHIFT  5 // 1/32 of the peak,
#define USED_SHIFT      3 // and an eighth of what is in use
#define SLACK_SHIFT     5 // as much again above the peak: what is too scattered to be taken,
#define SLACK_SHIFT_MIN 1 // and up to half of it where what is purged is taken again all the same
#define STEPS_MAX       4 // of PURGE_STEP_BYTES each in one call: a third of a millisecond
#define WINDOW_NS       1000000000ULL
#define WINDOW_SHIFTS   3                    // windows are 1, 2, 4 or 8 seconds long
#define GIVES_PER_CLOCK 16                   // looks at the clock: one in so many frees
#define BESIDE_BYTES    (32UL * 1024 * 1024) // or a third, above the peak of all: see room_beside

static struct {
    struct purge_settings settings; // [const] after start, but for mallopt
    _Atomic(size_t) peak_bytes;     // most memory in use, in this window
    _Atomic(size_t) peak_before;    // and in the one before
    _Atomic(size_t) all_peak;       // the same with huge blocks, in this window
    _Atomic(size_t) all_before;     // in the window before
    _Atomic(size_t) huge_bytes;     // of these in use
    _Atomic(size_t) cached_bytes;   // of these freed and kept
    _Atomic(bool) is_breathing;     // state
    _Atomic(size_t) slack_shift;    // while breathing: share of the peak that is allowed above it
    _Atomic(size_t) purged_mark;    // chunks, since when refaults are counted
    _Atomic(size_t) retaken_mark;
    _Atomic(size_t) gives;        // frees seen
    _Atomic(uint64_t) window_ns;  // when this window began
    _Atomic(size_t) window_shift; // its length is WINDOW_NS << window_shift
    _Atomic(size_t) least_dirty;  // bytes, in this window
    _Atomic(size_t) surplus;      // bytes that nobody needed in the last one, still to be purged
    _Atomic(size_t) was_surplus;  // the same as it was at the start of this window
} g_purge = {.settings = {.enabled = true}, .slack_shift = SLACK_SHIFT, .least_dirty = SIZE_MAX};

static size_t load(_Atomic(size_t) *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void store(_Atomic(size_t) *value, size_t to)
{
    atomic_store_explicit(value, to, memory_order_relaxed);
}

static bool is_breathing(void)
{
    return atomic_load_explicit(&g_purge.is_breathing, memory_order_relaxed);
}

static void set_breathing(bool to)
{
    atomic_store_explicit(&g_purge.is_breathing, to, memory_order_relaxed);
}

void purge_configure(const struct purge_settings *settings)
{
    g_purge.settings = *settings;
}

size_t purge_peak_bytes(void)
{
    return max_size(load(&g_purge.peak_bytes), load(&g_purge.peak_before));
}

static size_t cautious_bytes(void)
{
    size_t share = min_size(purge_peak_bytes() >> CAUTIOUS_SHIFT, span_used_bytes() >> USED_SHIFT);
    return clamp_size(share, RETAIN_BYTES_MIN, RETAIN_BYTES_MAX);
}

static size_t all_used_bytes(void)
{
    return span_used_bytes() + load(&g_purge.huge_bytes);
}

static void note_all_used(void)
{
    if (all_used_bytes() > load(&g_purge.all_peak)) {
        store(&g_purge.all_peak, all_used_bytes());
    }
}

// What may be kept beside `kept` bytes, so that all that is in use or kept, here and in the cache
// of huge.c, exceeds what was in use at the recent peak by a part at most: a program whose blocks
// change from small to huge and back needs a third more, not twice as much.
static size_t room_beside(size_t kept)
{
    size_t peak = max_size(load(&g_purge.all_peak), load(&g_purge.all_before));
    size_t most = peak + max_size(BESIDE_BYTES, peak / 3);
    return most - min_size(most, all_used_bytes() + kept);
}

size_t purge_room_for_huge(size_t used_bytes, size_t cached_bytes)
{
    store(&g_purge.huge_bytes, used_bytes);
    store(&g_purge.cached_bytes, cached_bytes);
    note_all_used();
    return room_beside(span_dirty_bytes() + cached_bytes);
}

size_t purge_budget_bytes(void)
{
    size_t cautious = cautious_bytes();
    if (!is_breathing()) {
        return cautious;
    }
    size_t peak = purge_peak_bytes();
    size_t used = min_size(span_used_bytes(), peak);
    size_t budget = cautious + peak - used + (peak >> load(&g_purge.slack_shift));
    return clamp_size(room_beside(load(&g_purge.cached_bytes)), cautious, budget);
}

// ---- by volume ----

// Counts anew what is purged, and what of it is taken again.
static void mark_refaults(size_t purged, size_t retaken)
{
    store(&g_purge.purged_mark, purged);
    store(&g_purge.retaken_mark, retaken);
}

// Looked at when there is again something to purge: was the last purge for nothing?
static void learn_from_refaults(void)
{
    size_t purged = 0;
    size_t retaken = 0;
    span_refaults(&purged, &retaken);
    size_t purged_now = purged - load(&g_purge.purged_mark);
    size_t retaken_now = retaken - load(&g_purge.retaken_mark);
    if (purged_now << CHUNK_SHIFT <= cautious_bytes() || retaken_now <= purged_now / 4) {
        return;
    }
    if (is_breathing()) {
        size_t shift = load(&g_purge.slack_shift);
        store(&g_purge.slack_shift, shift - (shift > SLACK_SHIFT_MIN));
    }
    set_breathing(true);
    mark_refaults(purged, retaken);
}

// Lowers the break when enough at its end is free; not where it will go up again at once.
static void trim_end(void)
{
    const struct purge_settings *settings = &g_purge.settings;
    if (settings->trim_bytes == 0 && is_breathing()) {
        return;
    }
    size_t share = max_size(TRIM_BYTES_MIN, purge_peak_bytes() >> CAUTIOUS_SHIFT);
    size_t least = settings->trim_bytes != 0 ? settings->trim_bytes : share;
    size_t end = span_end_free_bytes();
    if (end > least) {
        // PURGE-1: what is dirty there takes as long as a purge
        size_t most = STEPS_MAX * PURGE_STEP_BYTES;
        size_t kept = end > most && span_dirty_bytes() > most ? end - most : 0;
        span_trim(max_size(max_size(settings->top_pad_bytes, least / 2), kept));
    }
}

static void purge_down_to(size_t bytes)
{
    const struct purge_settings *settings = &g_purge.settings;
    // What M_TRIM_THRESHOLD and M_TOP_PAD let stay is not to be faulted in again.
    bytes = max_size(bytes, max_size(settings->trim_bytes, settings->top_pad_bytes));
    for (int i = 0; i < STEPS_MAX && span_dirty_bytes() > bytes; i++) { // PURGE-1
        if (span_purge_step() == 0) {
            return;
        }
    }
}

static void keep_budget(size_t dirty)
{
    size_t budget = purge_budget_bytes();
    if (dirty > budget) {
        learn_from_refaults();
        budget = purge_budget_bytes();
    }
    if (dirty > budget) {
        purge_down_to(is_breathing() ? budget - budget / 8 : budget / 2);
    }
    trim_end(); // what is dirty there is little now: lowering the break takes no time
}

// ---- by need ----

static uint64_t window_length_ns(void)
{
    return WINDOW_NS << load(&g_purge.window_shift);
}

// Purges a part of what nobody needed in the last window.
static void purge_surplus(void)
{
    size_t surplus = load(&g_purge.surplus);
    if (surplus == 0) {
        return;
    }
    size_t dirty = span_dirty_bytes();
    size_t goal = dirty - min_size(dirty, surplus);
    purge_down_to(goal);
    size_t left = span_dirty_bytes();
    store(&g_purge.surplus, left > goal && left < dirty ? left - goal : 0);
}

static void set_window(size_t shift, uint64_t now)
{
    store(&g_purge.window_shift, shift);
    store(&g_purge.least_dirty, span_dirty_bytes());
    store(&g_purge.peak_before, load(&g_purge.peak_bytes));
    store(&g_purge.peak_bytes, span_used_bytes());
    store(&g_purge.all_before, load(&g_purge.all_peak));
    store(&g_purge.all_peak, all_used_bytes());
    atomic_store_explicit(&g_purge.window_ns, now, memory_order_relaxed);
}

static void end_window(uint64_t now)
{
    size_t purged = 0;
    size_t retaken = 0;
    span_refaults(&purged, &retaken);
    size_t shift = load(&g_purge.window_shift);
    size_t retaken_bytes = (retaken - load(&g_purge.retaken_mark)) << CHUNK_SHIFT;
    size_t was_surplus = load(&g_purge.was_surplus);
    if (was_surplus != 0 && retaken_bytes > was_surplus / 2) {
        shift += shift < WINDOW_SHIFTS;
    } else {
        shift -= shift > 0;
    }
    mark_refaults(purged, retaken);
    // Scattered memory may not fit what is asked for: then it is purged here and faults there.
    size_t unneeded = min_size(load(&g_purge.least_dirty), span_dirty_bytes());
    if (is_breathing() && retaken_bytes > unneeded / 4) {
        unneeded = 0;
    }
    if (unneeded > purge_peak_bytes() / 4) {
        set_breathing(false); // it has shrunk for good, as far as we know
        store(&g_purge.slack_shift, SLACK_SHIFT);
    }
    store(&g_purge.surplus, unneeded);
    store(&g_purge.was_surplus, unneeded);
    set_window(shift, now);
}

static bool look_at_clock(void)
{
    uint64_t now = os_now_ns();
    uint64_t began = atomic_load_explicit(&g_purge.window_ns, memory_order_relaxed);
    if (began == 0) {
        set_window(0, now);
    }
    if (began == 0 || now - began < window_length_ns()) {
        return false;
    }
    end_window(now);
    return true;
}

bool purge_is_on(void)
{
    return g_purge.settings.enabled;
}

void purge_consider(size_t given_bytes)
{
    size_t used = span_used_bytes() + given_bytes;
    size_t dirty = span_dirty_bytes();
    if (used > load(&g_purge.peak_bytes)) {
        store(&g_purge.peak_bytes, used);
    }
    note_all_used();
    // Before the free it was the least since the last one: in between, memory was only taken.
    size_t before = dirty - min_size(dirty, given_bytes);
    if (before < load(&g_purge.least_dirty)) {
        store(&g_purge.least_dirty, before);
    }
    if (!g_purge.settings.enabled) {
        return;
    }
    keep_budget(dirty);
    size_t gives = load(&g_purge.gives) + 1;
    store(&g_purge.gives, gives);
    if (gives % GIVES_PER_CLOCK == 0) {
        look_at_clock();
        purge_surplus();
    }
}

bool purge_tick(void)
{
    bool ended = look_at_clock();
    if (g_purge.settings.enabled) {
        if (ended) {
            keep_budget(span_dirty_bytes());
        }
        purge_surplus();
    }
    return ended;
}

bool purge_all(size_t pad_bytes)
{
    bool released = span_trim(pad_bytes) != 0;
    while (span_purge_step() != 0) {
        released = true;
    }
    return released;
}

bool purge_keeps_much(void)
{
    return g_purge.settings.enabled && span_dirty_bytes() > 2 * cautious_bytes();
}
