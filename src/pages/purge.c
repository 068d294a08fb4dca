/* purge.c - decides how much free memory stays resident, and purges the rest.
 *
 * Owns:       the swing of the memory in use: its last top and its direction.
 * Threads:    any; the numbers are hints, a lost update costs a purge too many or too few.
 * Locks:      takes none; span_purge_step() and span_trim() take LOCK_PAGE_HEAP for one step each.
 * Invariants: PURGE-1  a call purges at most STEPS_MAX steps, but at the end of a fall or window.
 *             PURGE-2  the last turn is never above the top, except after a lost update.
 *
 * A purge pays off if the memory stays unused; if it is allocated again at once, a system call and
 * a page fault, as much as 200 pairs of malloc and free, were wasted. "In use" are spans and huge
 * blocks; "kept" are dirty free spans and cached mappings. Four rules, none of which needs a clock:
 *
 *   careful   kept <= 1/32 of the top and 1/8 of what is in use (512 KiB at least, 64 MiB at most)
 *   breathing a quarter of what was purged was reused: kept and in use <= top of the last swing
 *   swing     each fall by an eighth sets a new top: what a whole swing did not use is purged
 *   low       in use < 1/8 of the top: careful at once, and caches are flushed
 *
 * The clock only refines this: what was not needed for WINDOW_NS is purged at the next call.
 */
#include "pages/purge.h"

#include "pages/span.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/config.h"
#include "base/os.h"

#include <stdatomic.h>
#include <stdint.h>

#define CAREFUL_TOP_SHIFT  5 // 1/32 of the top: small changes between phases cost nothing
#define CAREFUL_USED_SHIFT 3 // an eighth of what is in use: a small remainder keeps little
#define SWING_SHIFT        3 // a turn is a change by an eighth of what is in use,
#define SWING_BYTES_MIN    (1024UL * 1024)     // and by at least this: single slabs are no swing
#define LOW_SHIFT          3                   // of the top: below is an end, not a bottom,
#define LOW_TOP_MIN        (4UL * 1024 * 1024) // unless the top was too low to matter
#define SPLIT_SHIFT        2 // of what is in use: more dirty memory splits huge pages
#define RETAKEN_SHARE      4 // of what was purged
#define STEPS_MAX          4 // of PURGE_STEP_BYTES: a third of a millisecond
#define WINDOW_NS          1000000000ULL
#define FREES_PER_CLOCK    16 // frees per clock read

static struct {
    struct purge_settings settings; // [atomic] each of its fields: mallopt changes them
    _Atomic(size_t) huge_bytes;     // [atomic] of huge blocks in use
    _Atomic(size_t) cached_bytes;   // [atomic] of huge blocks, freed and cached
    _Atomic(size_t) top;            // [atomic] most in use, in the last swing or in this one
    _Atomic(size_t) turn;           // [atomic] most of this rise, or least of this fall
    _Atomic(bool) is_falling;       // [atomic] this and the rest
    _Atomic(bool) is_breathing;
    _Atomic(bool) was_low;
    _Atomic(bool) has_ended;      // it became low, and purge_has_ended() has not told so yet
    _Atomic(size_t) purged_mark;  // bytes purged when the present count of refaults began
    _Atomic(size_t) retaken_mark; // bytes retaken at that time
    _Atomic(size_t) unmapped;     // bytes of huge blocks that were unmapped
    _Atomic(size_t) remapped;     // of these, bytes mapped again
    _Atomic(size_t) frees;        // seen
    _Atomic(size_t) huge_changes; // changes of the blocks or the cache of huge.c
    _Atomic(uint64_t) window_ns;  // when this window began; 0: not yet
    _Atomic(size_t) least_dirty;  // bytes, in this window
} g_purge = {.settings = {.enabled = true}, .least_dirty = PTRDIFF_MAX};

static size_t load(_Atomic(size_t) *value)
{
    size_t now = atomic_load_explicit(value, memory_order_relaxed);
    ASSERT((ptrdiff_t)now >= 0); // store() checked it
    return now;
}

static void store(_Atomic(size_t) *value, size_t to)
{
    ASSERT((ptrdiff_t)to >= 0); // no counter underflows
    atomic_store_explicit(value, to, memory_order_relaxed);
}

static bool is_set(_Atomic(bool) *flag)
{
    return atomic_load_explicit(flag, memory_order_relaxed);
}

static void set(_Atomic(bool) *flag, bool to)
{
    atomic_store_explicit(flag, to, memory_order_relaxed);
}

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

size_t purge_peak_bytes(void)
{
    return load(&g_purge.top);
}

static size_t used_bytes(void)
{
    return span_used_bytes() + load(&g_purge.huge_bytes);
}

// ---- the rules ----

static bool is_low(void)
{
    size_t top = load(&g_purge.top);
    return top >= LOW_TOP_MIN && used_bytes() < top >> LOW_SHIFT;
}

bool purge_is_low(void)
{
    return purge_is_on() && is_low();
}

static size_t careful_bytes(void)
{
    size_t share =
        min_size(load(&g_purge.top) >> CAREFUL_TOP_SHIFT, used_bytes() >> CAREFUL_USED_SHIFT);
    return clamp_size(share, RETAIN_BYTES_MIN, RETAIN_BYTES_MAX);
}

// Bytes that may be kept, in dirty spans and in the cache of huge.c together.
static size_t kept_max(void)
{
    size_t careful = careful_bytes();
    if (!is_set(&g_purge.is_breathing) || is_low()) {
        return careful;
    }
    size_t top = load(&g_purge.top);
    size_t kept = careful + top - min_size(used_bytes(), top);
    ASSERT(kept >= careful);
    return kept;
}

size_t purge_budget_bytes(void)
{
    size_t kept = kept_max();
    size_t budget = max_size(kept - min_size(load(&g_purge.cached_bytes), kept), careful_bytes());
    ASSERT(budget + 1 > RETAIN_BYTES_MIN);
    return budget;
}

// Tracks the memory in use; rule "swing".
static void follow(size_t used)
{
    size_t turn = load(&g_purge.turn);
    size_t step = max_size(turn >> SWING_SHIFT, SWING_BYTES_MIN);
    ASSERT((ptrdiff_t)used >= 0);
    if (used > load(&g_purge.top)) {
        store(&g_purge.top, used);
    }
    if (is_set(&g_purge.is_falling)) {
        if (used > turn + step) {
            set(&g_purge.is_falling, false);
        }
        if (used < turn || used > turn + step) {
            store(&g_purge.turn, used);
        }
    } else if (used > turn) {
        store(&g_purge.turn, used);
    } else if (used + step < turn) {
        set(&g_purge.is_falling, true);
        store(&g_purge.top, turn);
        store(&g_purge.turn, used);
    }
}

// Rule "breathing", evaluated whenever there is something to purge.
static void learn_from_refaults(void)
{
    size_t purged_chunks = 0;
    size_t retaken_chunks = 0;
    span_refaults(&purged_chunks, &retaken_chunks);
    size_t purged = (purged_chunks << CHUNK_SHIFT) + load(&g_purge.unmapped);
    size_t retaken = (retaken_chunks << CHUNK_SHIFT) + load(&g_purge.remapped);
    size_t purged_now = purged - load(&g_purge.purged_mark);
    size_t retaken_now = retaken - load(&g_purge.retaken_mark);
    if (purged_now > careful_bytes() && retaken_now > purged_now / RETAKEN_SHARE) {
        set(&g_purge.is_breathing, true);
        store(&g_purge.purged_mark, purged);
        store(&g_purge.retaken_mark, retaken);
    }
}

// ---- the work ----

// Lowers the break if enough is free at the end; not while it would rise again at once.
static void trim_end(bool is_over)
{
    size_t trim_bytes = RELAXED_LOAD(g_purge.settings.trim_bytes);
    if (trim_bytes == 0 && is_set(&g_purge.is_breathing) && !is_over) {
        return;
    }
    size_t share = max_size(TRIM_BYTES_MIN, load(&g_purge.top) >> CAREFUL_TOP_SHIFT);
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
    bool splits = is_over || span_dirty_bytes() > span_used_bytes() >> SPLIT_SHIFT;
    for (int i = 0; (i < STEPS_MAX || is_over) && span_dirty_bytes() > bytes; i++) { // PURGE-1
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
    size_t budget = purge_budget_bytes();
    if (span_dirty_bytes() > budget) {
        learn_from_refaults();
        budget = purge_budget_bytes();
    }
    if (span_dirty_bytes() > budget) {
        bool breathes = is_set(&g_purge.is_breathing) && !is_over;
        purge_down_to(breathes ? budget - budget / 8 : budget / 2, is_over);
    }
    trim_end(is_over); // little is dirty there by now: lowering the break is quick
}

// Detects when the memory in use becomes low; rule "low".
static void note_end(void)
{
    bool is = is_low();
    if (is != is_set(&g_purge.was_low)) {
        set(&g_purge.was_low, is);
        set(&g_purge.has_ended, is);
        set(&g_purge.is_breathing, is_set(&g_purge.is_breathing) && !is);
    }
}

bool purge_has_ended(void)
{
    return is_set(&g_purge.has_ended) &&
           atomic_exchange_explicit(&g_purge.has_ended, false, memory_order_relaxed);
}

void purge_consider(size_t given_bytes)
{
    ASSERT(given_bytes % CHUNK_BYTES == 0);
    size_t dirty = span_dirty_bytes();
    follow(used_bytes() + given_bytes);
    follow(used_bytes());
    // Just before this free the dirty memory was at its least since the last one: in between,
    // memory was only allocated.
    size_t before = dirty - min_size(dirty, given_bytes);
    if (before < load(&g_purge.least_dirty)) {
        store(&g_purge.least_dirty, before);
    }
    note_end();
    if (purge_is_on()) {
        keep_budget(is_low());
        size_t frees = load(&g_purge.frees) + 1;
        store(&g_purge.frees, frees);
        if (frees % FREES_PER_CLOCK == 0) {
            purge_tick();
        }
    }
}

bool purge_tick(void)
{
    uint64_t now = os_now_ns();
    uint64_t began = atomic_load_explicit(&g_purge.window_ns, memory_order_relaxed);
    if (began != 0 && now - began < WINDOW_NS) {
        return false;
    }
    size_t unneeded = began != 0 ? load(&g_purge.least_dirty) : 0;
    atomic_store_explicit(&g_purge.window_ns, now, memory_order_relaxed);
    store(&g_purge.least_dirty, span_dirty_bytes());
    if (purge_is_on()) {
        size_t dirty = span_dirty_bytes();
        purge_down_to(dirty - min_size(dirty, unneeded), true);
    }
    return began != 0;
}

size_t purge_changes(void)
{
    return load(&g_purge.frees) + load(&g_purge.huge_changes);
}

bool purge_all(size_t pad_bytes)
{
    bool released = span_trim(pad_bytes) != 0;
    while (span_purge_step(true) != 0) {
        released = true;
    }
    return released;
}

// ---- huge blocks ----

void purge_follow_huge(size_t used, size_t cached)
{
    ASSERT(used % os_page_bytes() == 0);
    ASSERT(cached % os_page_bytes() == 0);
    store(&g_purge.huge_bytes, used);
    store(&g_purge.cached_bytes, cached);
    store(&g_purge.huge_changes, load(&g_purge.huge_changes) + 1);
    follow(used_bytes());
}

size_t purge_room_for_huge(void)
{
    size_t kept = kept_max();
    size_t room = kept - min_size(span_dirty_bytes(), kept);
    return is_low() ? room : max_size(room, HUGE_CACHE_BYTES_MIN);
}

void purge_note_unmapped(size_t bytes)
{
    ASSERT(bytes != 0);
    ASSERT(bytes % os_page_bytes() == 0);
    store(&g_purge.unmapped, load(&g_purge.unmapped) + bytes);
    learn_from_refaults();
}

void purge_note_mapped(size_t bytes)
{
    ASSERT(bytes % os_page_bytes() == 0);
    size_t most = load(&g_purge.unmapped);
    ASSERT(load(&g_purge.remapped) <= most); // no more came back than went
    store(&g_purge.remapped, min_size(load(&g_purge.remapped) + bytes, most));
}

void purge_check(void)
{
    size_t purged = 0;
    size_t retaken = 0;
    span_refaults(&purged, &retaken);
    VERIFY(atomic_load(&g_purge.turn) <= atomic_load(&g_purge.top)); // PURGE-2
    VERIFY(atomic_load(&g_purge.remapped) <= atomic_load(&g_purge.unmapped));
    VERIFY(atomic_load(&g_purge.purged_mark) <=
           (purged << CHUNK_SHIFT) + atomic_load(&g_purge.unmapped));
    VERIFY(atomic_load(&g_purge.retaken_mark) <=
           (retaken << CHUNK_SHIFT) + atomic_load(&g_purge.remapped));
    VERIFY(careful_bytes() <= kept_max());
    VERIFY(purge_budget_bytes() <= kept_max());
    VERIFY(is_low() || purge_room_for_huge() >= HUGE_CACHE_BYTES_MIN);
    VERIFY(atomic_load(&g_purge.window_ns) <= os_now_ns());
    VERIFY(!atomic_load(&g_purge.has_ended) || atomic_load(&g_purge.was_low));
}
