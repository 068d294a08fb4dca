/* racks.c - counts the blocks of hardened mode.
 *
 * Owns:       nothing.
 * Threads:    any; reads what others write, so a count may be a moment old.
 * Locks:      none.
 * Invariants: none beyond CENSUS-1.
 */
#include "inspect/racks.h"

#include "hardened/harden.h"

static void count_rack(struct census *census, const struct chunk *entry)
{
    const struct rack *rack = rack_of(entry);
    // Once, where it begins; none of blocks of no bytes.
    if (page_map_find(rack->start) == page_map_index(entry) && rack->class < CLASSES) {
        struct census_class *class = &census->classes[rack->class];
        class->slabs++;
        class->live_blocks += rack_live_count(rack, &census->slack_bytes);
    }
}

RACY_READER void racks_count(struct census *census)
{
    for (size_t i = 1; g_harden.is_on && i < page_map_count(); i++) { // CENSUS-1
        const struct chunk *entry = page_map_entry(i);
        if (chunk_state(entry) == CHUNK_RACK) {
            count_rack(census, entry);
        }
    }
}
