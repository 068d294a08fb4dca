/* budget.c - decides how much free memory may stay resident.
 *
 * Owns:       what was learned about this program: its last tops, its lows, what came back.
 * Threads:    any; the numbers are hints, a lost update costs a purge too many or too few.
 * Locks:      takes none; span_refaults() takes LOCK_PAGE_HEAP.
 * Invariants: BUDGET-1  a waiting low is a low in which the budget breathes.
 *
 * A purge pays off if the memory stays unused; if it is allocated again at once, a system call and
 * page faults were wasted: 0.3 us each at best, 20 us in many virtual machines. "In use" are spans
 * and huge blocks; "kept" are dirty free spans and cached mappings. Rules, none of which needs a
 * clock:
 *
 *   top       the most in use during two epochs; an epoch ends when as much was freed as the top
 *   careful   kept <= 1/32 of the top and 1/8 of what is in use (512 KiB at least, 64 MiB at most)
 *   breathing a quarter of what was purged came back: kept and in use <= top
 *   regret    it goes on coming back, on small pages: the free spans do not fit what is requested.
 *             Each time the share that is kept above the top doubles, and so does the epoch: three
 *             times, and six
 *   low       in use < 1/8 of the top: an end. Careful at once
 *   waiting   unless what earlier lows gave back came back: then a low gives back at once only what
 *             lies on huge pages, for that comes back at a hundredth of the price, and what is more
 *             than 64 MiB. The rest waits until a number of mallocs in a row took no fresh span
 *             (budget_watch)
 */
#include "pages/budget.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/os.h"
#include "pages/span.h"

#include <stdatomic.h>
#include <stdint.h>

#define CAREFUL_TOP_SHIFT  5 // 1/32 of the top: small changes between phases cost nothing
#define CAREFUL_USED_SHIFT 3 // an eighth of what is in use: a small remainder keeps little
#define LOW_SHIFT          3 // of the top: below is an end, not a bottom,
#define LOW_TOP_MIN        (4UL * 1024 * 1024) // unless the top was too low to matter
#define CAME_BACK_SHARE    4                   // of what was purged, or of the top
#define REGRETS_MAX        6                   // then an epoch is 64 tops long,
#define REGRETS_ABOVE      3                   // but no more than 1/4 of the top stays above it
#define VAIN_LOWS          2                   // lows whose memory came back, before one waits
#define PATIENCE_FIRST     1500UL // mallocs: the blocks of a slab and of a magazine are fewer
#define PATIENCE_LAST      (16 * PATIENCE_FIRST)
#define WATCH_SHARE        64 // patiences that a watch lasts at most: then it is a slow rise

static struct {
    _Atomic(size_t) huge_bytes;   // [atomic] of huge blocks in use
    _Atomic(size_t) cached_bytes; // [atomic] of huge blocks, freed and cached
    _Atomic(size_t) unmapped;     // [atomic] bytes of huge blocks that were unmapped
    _Atomic(size_t) remapped;     // [atomic] of these, bytes mapped again
    _Atomic(size_t) changes;      // [atomic] see budget_changes()
    _Atomic(size_t) used;         // [atomic] bytes in use when last looked at
    _Atomic(size_t) epoch_top;    // [atomic] most in use in this epoch
    _Atomic(size_t) last_top;     // [atomic] and in the one before
    _Atomic(size_t) freed;        // [atomic] bytes freed in this epoch
    _Atomic(bool) is_breathing;   // [atomic]
    _Atomic(size_t) regrets;      // [atomic]
    _Atomic(size_t) purged_mark;  // [atomic] of the refaults, when they were last counted
    _Atomic(size_t) came_mark;    // [atomic] the same
    _Atomic(size_t) small_mark;   // [atomic] the same
    _Atomic(bool) was_low;        // [atomic]
    _Atomic(bool) is_waiting;     // [atomic] BUDGET-1
    _Atomic(size_t) vain_lows;    // [atomic] whose memory came back, VAIN_LOWS at most
    _Atomic(size_t) low_mark;     // [atomic] what had come back when it was last low
    _Atomic(size_t) patience;     // [atomic] of the next watch
    _Atomic(size_t) watch_used;   // [atomic] least in use of this watch, but for what rose since
    _Atomic(size_t) misses;       // [atomic] mallocs since it rose
    _Atomic(size_t) all_misses;   // [atomic] mallocs of this watch
} g_budget = {.patience = PATIENCE_FIRST};

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

// ---- what is in use ----

static size_t used_bytes(void)
{
    return span_used_bytes() + load(&g_budget.huge_bytes);
}

size_t budget_top_bytes(void)
{
    return max_size(load(&g_budget.epoch_top), load(&g_budget.last_top));
}

// Rule "top".
static void follow(size_t used)
{
    size_t before = load(&g_budget.used);
    ASSERT((ptrdiff_t)used >= 0);
    store(&g_budget.used, used);
    if (used >= before) {
        store(&g_budget.epoch_top, max_size(load(&g_budget.epoch_top), used));
        return;
    }
    size_t freed = load(&g_budget.freed) + before - used;
    if (freed > budget_top_bytes() << load(&g_budget.regrets)) {
        store(&g_budget.last_top, load(&g_budget.epoch_top));
        store(&g_budget.epoch_top, used);
        freed = 0;
    }
    store(&g_budget.freed, freed);
}

// ---- what came back ----

struct refaults {
    size_t purged, came_back, on_small_pages; // bytes
};

static struct refaults refaults(void)
{
    struct span_refaults spans = span_refaults();
    size_t remapped = load(&g_budget.remapped);
    ASSERT(spans.on_small_pages <= spans.retaken);
    return (struct refaults){
        .purged = (spans.purged << CHUNK_SHIFT) + load(&g_budget.unmapped),
        .came_back = (spans.retaken << CHUNK_SHIFT) + remapped,
        .on_small_pages = (spans.on_small_pages << CHUNK_SHIFT) + remapped,
    };
}

void budget_note_unmapped(size_t bytes)
{
    ASSERT(bytes != 0);
    ASSERT(bytes % os_page_bytes() == 0);
    store(&g_budget.unmapped, load(&g_budget.unmapped) + bytes);
    budget_learn();
}

void budget_note_mapped(size_t bytes)
{
    ASSERT(bytes % os_page_bytes() == 0);
    size_t most = load(&g_budget.unmapped);
    ASSERT(load(&g_budget.remapped) <= most); // no more came back than went
    store(&g_budget.remapped, min_size(load(&g_budget.remapped) + bytes, most));
}

// ---- the rules ----

static bool is_low(size_t used)
{
    size_t top = budget_top_bytes();
    return top >= LOW_TOP_MIN && used < top >> LOW_SHIFT;
}

bool budget_is_low(void)
{
    return is_low(used_bytes());
}

bool budget_is_over(void)
{
    return !is_set(&g_budget.is_waiting) && budget_is_low();
}

bool budget_is_waiting(void)
{
    return is_set(&g_budget.is_waiting);
}

bool budget_is_breathing(void)
{
    return is_set(&g_budget.is_breathing);
}

static size_t careful_bytes(void)
{
    size_t share =
        min_size(budget_top_bytes() >> CAREFUL_TOP_SHIFT, used_bytes() >> CAREFUL_USED_SHIFT);
    return clamp_size(share, RETAIN_BYTES_MIN, RETAIN_BYTES_MAX);
}

// Bytes that may be kept, in dirty spans and in the cache of huge.c together.
static size_t kept_max(void)
{
    size_t careful = careful_bytes();
    if (!is_set(&g_budget.is_breathing) || budget_is_over()) {
        return careful;
    }
    ASSERT(load(&g_budget.regrets) <= REGRETS_MAX);
    size_t top = budget_top_bytes();
    size_t above = top >> (CAREFUL_TOP_SHIFT - min_size(load(&g_budget.regrets), REGRETS_ABOVE));
    size_t kept = careful + above + top - min_size(used_bytes(), top);
    ASSERT(kept >= careful);
    return is_set(&g_budget.is_waiting) ? min_size(kept, RETAIN_BYTES_MAX) : kept;
}

size_t budget_bytes(void)
{
    size_t kept = kept_max();
    size_t budget = max_size(kept - min_size(load(&g_budget.cached_bytes), kept), careful_bytes());
    ASSERT(budget + 1 > RETAIN_BYTES_MIN);
    return budget;
}

size_t budget_bytes_for_huge(void)
{
    bool low = budget_is_low(); // mappings of many pages come back as huge pages
    size_t kept = low ? careful_bytes() : kept_max();
    size_t room = kept - min_size(span_dirty_bytes(), kept);
    return low ? room : max_size(room, HUGE_CACHE_BYTES_MIN);
}

// Rules "breathing" and "regret".
void budget_learn(void)
{
    struct refaults now = refaults();
    size_t purged = now.purged - load(&g_budget.purged_mark);
    size_t enough = purged / CAME_BACK_SHARE;
    if (purged <= careful_bytes() || now.came_back - load(&g_budget.came_mark) <= enough) {
        return;
    }
    if (is_set(&g_budget.is_breathing) &&
        now.on_small_pages - load(&g_budget.small_mark) > enough) {
        store(&g_budget.regrets, min_size(load(&g_budget.regrets) + 1, REGRETS_MAX));
    }
    set(&g_budget.is_breathing, true);
    store(&g_budget.purged_mark, now.purged);
    store(&g_budget.came_mark, now.came_back);
    store(&g_budget.small_mark, now.on_small_pages);
}

// ---- lows ----

static void give_back(void)
{
    set(&g_budget.is_waiting, false);
    set(&g_budget.is_breathing, false);
    store(&g_budget.regrets, 0);
}

static void begin_waiting(void)
{
    store(&g_budget.watch_used, used_bytes());
    store(&g_budget.misses, 0);
    store(&g_budget.all_misses, 0);
    set(&g_budget.is_breathing, true); // BUDGET-1
    set(&g_budget.is_waiting, true);
}

// Rules "low" and "waiting": a low begins.
static NOINLINE void begin_low(void)
{
    size_t came_back = refaults().came_back;
    if (came_back - load(&g_budget.low_mark) > budget_top_bytes() / CAME_BACK_SHARE) {
        store(&g_budget.vain_lows, min_size(load(&g_budget.vain_lows) + 1, VAIN_LOWS));
    }
    store(&g_budget.low_mark, came_back);
    if (load(&g_budget.vain_lows) < VAIN_LOWS) {
        give_back();
    } else {
        begin_waiting();
    }
}

static void note_low(size_t used)
{
    bool low = is_low(used);
    if (LIKELY(low == is_set(&g_budget.was_low))) {
        return;
    }
    set(&g_budget.was_low, low);
    if (low) {
        begin_low();
    } else {
        set(&g_budget.is_waiting, false);
    }
}

static void count_change(void)
{
    atomic_store_explicit(&g_budget.changes,
                          atomic_load_explicit(&g_budget.changes, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

size_t budget_changes(void)
{
    return atomic_load_explicit(&g_budget.changes, memory_order_relaxed);
}

void budget_follow_huge(size_t used, size_t cached)
{
    ASSERT(used % os_page_bytes() == 0);
    ASSERT(cached % os_page_bytes() == 0);
    store(&g_budget.huge_bytes, used);
    store(&g_budget.cached_bytes, cached);
    count_change();
    follow(used_bytes());
}

void budget_follow_free(size_t bytes)
{
    count_change();
    ASSERT(bytes % CHUNK_BYTES == 0);
    size_t used = used_bytes();
    follow(used + bytes); // just before
    note_low(used + bytes);
    follow(used);
    note_low(used);
}

// Counts a malloc; true: for long nothing rose, or for so long that it is a slow rise.
static COLD bool is_patience_over(void)
{
    size_t used = used_bytes();
    size_t patience = load(&g_budget.patience);
    ASSERT(patience >= PATIENCE_FIRST);
    ASSERT(patience <= PATIENCE_LAST);
    bool rises = used > load(&g_budget.watch_used);
    size_t misses = rises ? 0 : load(&g_budget.misses) + 1;
    size_t all = load(&g_budget.all_misses) + 1;
    store(&g_budget.watch_used, used);
    store(&g_budget.misses, misses);
    store(&g_budget.all_misses, all);
    return misses > patience || all > WATCH_SHARE * patience;
}

COLD bool budget_watch(void)
{
    note_low(used_bytes());
    if (!is_set(&g_budget.is_waiting)) {
        return false;
    }
    if (is_patience_over()) {
        store(&g_budget.patience, min_size(2 * load(&g_budget.patience), PATIENCE_LAST));
        give_back();
    }
    return is_set(&g_budget.is_waiting);
}

void budget_check(void)
{
    struct refaults now = refaults();
    VERIFY(atomic_load(&g_budget.remapped) <= atomic_load(&g_budget.unmapped));
    VERIFY(atomic_load(&g_budget.purged_mark) <= now.purged);
    VERIFY(atomic_load(&g_budget.came_mark) <= now.came_back);
    VERIFY(atomic_load(&g_budget.small_mark) <= now.on_small_pages);
    VERIFY(atomic_load(&g_budget.low_mark) <= now.came_back);
    VERIFY(atomic_load(&g_budget.regrets) <= REGRETS_MAX);
    VERIFY(careful_bytes() <= kept_max());
    VERIFY(budget_bytes() <= kept_max());
    VERIFY(budget_is_low() || budget_bytes_for_huge() >= HUGE_CACHE_BYTES_MIN);
    VERIFY(!atomic_load(&g_budget.is_waiting) || atomic_load(&g_budget.is_breathing)); // BUDGET-1
}
