/* thin.c - single pages of slabs of which little is left in use.
 *
 * Owns:       the place of its walk.
 * Threads:    any.
 * Locks:      takes none; depot.c below takes LOCK_DEPOT.
 * Invariants: THIN-1  each call passes over a bounded number of entries.
 *
 * A program that changes its sizes leaves slabs behind in which a few blocks live on: no chunk is
 * free, but most pages are. When it takes fresh memory for the new sizes, such pages go back, about
 * as much as it takes. Not before: a slab that only empties on its way to other use, or to the page
 * heap, would be purged for nothing. The walk goes by address through the page map, a few slabs at
 * a time; a slab is looked at again when less of it is in use than the last time.
 */
#include "core/thin.h"

#include "base/check.h"
#include "base/live.h"
#include "base/os.h"
#include "core/depot.h"
#include "core/slab.h"
#include "pages/purge.h"

#define OUT_MAX 2  // blocks: more than half of 4 pages are free then
#define STEPS   32 // entries passed over for each chunk that is taken
#define LOOKS   4  // slabs whose free blocks are looked at for each
#define MOST    8  // chunks, in one go

static struct {
    _Atomic(uint32_t) next;  // [atomic] the entry that was looked at last
    _Atomic(uint32_t) swept; // [atomic] classes whose depot was looked at
} g_thin;

// As far as can be seen without the lock; the fields are read here and in no function that is
// called, since they may change. Harmless: what looks thin is asked again under the lock.
RACY_READER static bool is_thin(const struct chunk *slab, unsigned *sc)
{
    if (chunk_state(slab) != CHUNK_SLAB) {
        return false;
    }
    list_word free = slab->free;
    *sc = slab->sc;
    unsigned out = slab->carved - list_count(free);
    return out != 0 && out <= OUT_MAX && (slab->looked_at == 0 || out < slab->looked_at);
}

// What the depot of another class keeps in vain goes home.
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
    }
    atomic_store_explicit(&g_thin.next, at, memory_order_relaxed);
    ASSERT(purged % os_page_bytes() == 0);
    if (purged != 0) {
        live_event(MYALLOC_LIVE_EVENT_PURGE, NULL, purged);
    }
}
