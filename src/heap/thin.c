/* thin.c - single pages of slabs of which little is left in use.
 *
 * Owns:       heap->thin_next; `looked_at` of PARTIAL slabs.
 * Threads:    the owner, with heap->busy set.
 * Locks:      none.
 *
 * A program that changes its sizes leaves slabs behind in which a few blocks live on: no chunk is
 * free, but most pages are. When it takes fresh memory for the new sizes, such pages go back, about
 * as much as it takes. Not before: a slab that only empties on its way to other use, or to the
 * page heap, would be purged for nothing. The walk goes by address through the map, a few slabs at
 * a time; a slab is looked at again when less of it is in use than the last time.
 */
#include "heap/thin.h"

#include "pages/purge.h"
#include "heap/slab.h"
#include "base/live.h"

#define LIVE_MAX 2  // blocks in use: more than half of 4 pages are free then
#define STEPS    32 // map entries passed over for each chunk that is taken
#define LOOKS    4  // slabs whose free blocks are looked at for each
#define MOST     8  // chunks, in one go

static bool is_thin(const struct heap *heap, const struct chunk *slab)
{
    if (chunk_owner(slab) != heap || chunk_state(slab) != CHUNK_PARTIAL) {
        return false;
    }
    unsigned live = slab->carved - slab_free_count(slab);
    return live != 0 && live <= LIVE_MAX && (slab->looked_at == 0 || live < slab->looked_at);
}

static size_t thin_out_slab(struct chunk *slab)
{
    slab->looked_at = (uint8_t)(slab->carved - slab_free_count(slab));
    return slab_purge_pages(slab);
}

void thin_out(struct heap *heap, size_t bytes)
{
    size_t count = page_map_count();
    size_t purged = 0;
    unsigned looks = 0;
    unsigned chunks = (unsigned)min_size(bytes >> CHUNK_SHIFT, MOST);
    if (!purge_is_on()) {
        return;
    }
    for (unsigned step = 0; step < chunks * STEPS && looks < chunks * LOOKS; step++) {
        heap->thin_next = heap->thin_next + 1 < count ? heap->thin_next + 1 : 1;
        struct chunk *slab = page_map_entry(heap->thin_next);
        if (is_thin(heap, slab)) {
            purged += thin_out_slab(slab);
            looks++;
        }
    }
    if (purged != 0) {
        live_event(MYALLOC_LIVE_EVENT_PURGE, NULL, purged);
    }
}
