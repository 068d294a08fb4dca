/* thin.c - purges single pages of slabs that are nearly empty.
 *
 * Owns:       the position of its walk.
 * Threads:    any.
 * Locks:      takes none; depot.c below takes LOCK_DEPOT.
 * Invariants: THIN-1  each call visits a bounded number of entries.
 *
 * A program that moves to other block sizes leaves slabs behind in which a few blocks live on: no
 * chunk is free, but most pages are. When it takes fresh memory for the new sizes, about as much is
 * purged from such pages. Not earlier: a slab that is emptying only to be reused, or to be freed to
 * the page heap, would be purged for nothing. The walk goes through the page map by address, a few
 * slabs at a time; a slab is tried again once less of it is in use than the last time.
 */
#include "core/thin.h"

#include "base/check.h"
#include "base/live.h"
#include "base/os.h"
#include "core/depot.h"
#include "core/slab.h"
#include "pages/purge.h"

#define OUT_MAX 4  // blocks: then a third of 4 pages are free, if they lie at random
#define STEPS   32 // entries visited per chunk that was taken
#define LOOKS   8  // slabs tried per chunk that was taken
#define MOST    8  // chunks counted per call

static struct {
    _Atomic(uint32_t) next;  // [atomic] the entry visited last
    _Atomic(uint32_t) swept; // [atomic] number of depots swept
} g_thin;

// A guess without the lock: a slab that looks thin is checked again under it.
static bool is_thin(const struct chunk *slab, unsigned *sc)
{
    if (chunk_state(slab) != CHUNK_SLAB) {
        return false;
    }
    *sc = RELAXED_LOAD(slab->sc);
    unsigned out = RELAXED_LOAD(slab->carved) - slab_free_count(slab);
    unsigned looked_at = RELAXED_LOAD(slab->looked_at);
    return out != 0 && out <= OUT_MAX && (looked_at == 0 || out < looked_at);
}

// The last entry of a large block that begins at `at`, in which there are no slabs; else `at`. A
// guess: if the block was freed just now, slabs may be passed over until the walk comes by again.
static uint32_t last_of(uint32_t at, const struct chunk *entry)
{
    bool is_large = chunk_state(entry) == CHUNK_LARGE;
    ASSERT(at != 0);
    return is_large ? at + (uint32_t)max_size(RELAXED_LOAD(entry->length), 1) - 1 : at;
}

// Sweeps the depot of the next class, which may keep magazines that it does not need.
static void sweep_next(void)
{
    uint32_t sc = atomic_fetch_add_explicit(&g_thin.swept, 1, memory_order_relaxed);
    depot_sweep(sc % CLASSES);
}

void thin_out(size_t bytes)
{
    sweep_next();
    size_t count = page_map_count();
    size_t purged = 0;
    unsigned looks = 0;
    unsigned chunks = (unsigned)min_size(bytes >> CHUNK_SHIFT, MOST);
    uint32_t at = atomic_load_explicit(&g_thin.next, memory_order_relaxed);
    if (!purge_is_on()) {
        return;
    }
    for (unsigned step = 0; step < chunks * STEPS && looks < chunks * LOOKS; step++) { // THIN-1
        at = at + 1 < count ? at + 1 : 1;
        ASSERT(at != 0);
        ASSERT(at < count);
        struct chunk *slab = page_map_entry(at);
        unsigned sc;
        if (is_thin(slab, &sc)) {
            purged += depot_purge_slab(slab, sc, OUT_MAX);
            looks++;
        }
        at = last_of(at, slab);
    }
    atomic_store_explicit(&g_thin.next, at, memory_order_relaxed);
    ASSERT(purged % os_page_bytes() == 0);
    if (purged != 0) {
        live_event(MYALLOC_LIVE_EVENT_PURGE, NULL, purged);
    }
}
