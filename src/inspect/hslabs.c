/* hslabs.c - counts the blocks of hardened mode.
 *
 * Owns:       nothing.
 * Threads:    any; reads what others write, so a count may be slightly out of date.
 * Locks:      none.
 * Invariants: none beyond CENSUS-1.
 */
#include "inspect/hslabs.h"

#include "hardened/harden.h"

static void count_hslab(struct census *census, const struct chunk *entry)
{
    const struct hslab *slab = hslab_see(entry);
    // Each slab once, at its first chunk; not those for blocks of no bytes.
    if (slab != NULL && slab->sc != HSLAB_EMPTY_CLASS &&
        page_map_find(RELAXED_LOAD(slab->start)) == page_map_index(entry)) {
        struct census_class *size_class = &census->classes[slab->sc];
        size_class->slabs++;
        size_class->live_blocks += hslab_live_count(slab, &census->slack_bytes);
    }
}

void hslabs_count(struct census *census)
{
    for (size_t i = 1; g_harden.is_on && i < page_map_count(); i++) { // CENSUS-1
        count_hslab(census, page_map_entry(i));
    }
}
