/* census.c - counts what is in use; hardened slabs are counted by inspect/hslabs.c.
 *
 * Owns:       nothing.
 * Threads:    any; reads what others write, so a count may be slightly out of date.
 * Locks:      takes none; depot_counts() below takes LOCK_DEPOT.
 * Invariants: CENSUS-1  entries below page_map_count() are always readable memory.
 */
#include "core/census.h"

#include "base/os.h"
#include "core/depot_look.h"
#include "core/inherited.h"
#include "core/slab.h"
#include "core/slot.h"

#include <string.h>

static void count_slab(struct census *census, const struct chunk *slab)
{
    unsigned sc = RELAXED_LOAD(slab->sc);
    struct census_class *size_class = &census->classes[sc];
    size_t free = slab_free_count(slab) + inherited_count(slab);
    size_t page = os_page_bytes();
    size_t purged = (size_t)__builtin_popcount(RELAXED_LOAD(slab->purged));
    census->touched_bytes +=
        align_up(slab_reached(slab) * size_class_bytes(sc), page) - purged * page;
    size_class->slabs++;
    size_t carved = RELAXED_LOAD(slab->carved);
    size_class->live_blocks += free < carved ? carved - free : 0;
}

// The fields of an entry may not match: then a sum is slightly wrong. The only value used as an
// index is sc, which is always a valid class.
static void count_chunks(struct census *census)
{
    for (size_t i = 1; i < page_map_count(); i++) { // CENSUS-1
        const struct chunk *entry = page_map_entry(i);
        enum chunk_state state = chunk_state(entry);
        if (state == CHUNK_SLAB) {
            count_slab(census, entry);
        } else if (state == CHUNK_PLACED) {
            unsigned sc =
                size_class_of(min_size(RELAXED_LOAD(entry->usable_bytes), SLAB_BYTES_MAX));
            census->classes[sc].live_blocks++;
            census->touched_bytes += align_up(RELAXED_LOAD(entry->usable_bytes), os_page_bytes());
        } else if (state == CHUNK_LARGE || state == CHUNK_GUARDED) {
            census->large_blocks++;
            census->large_bytes += RELAXED_LOAD(entry->usable_bytes);
            census->touched_bytes += RELAXED_LOAD(entry->usable_bytes);
        } else if (state == CHUNK_POOL) {
            census->pool_chunks++;
            census->pool_chunk_bytes += (size_t)RELAXED_LOAD(entry->length) << CHUNK_SHIFT;
        }
    }
}

static void move_to_cached(struct census_class *size_class, size_t blocks)
{
    blocks = min_size(blocks, size_class->live_blocks);
    size_class->live_blocks -= blocks;
    size_class->cached_blocks += blocks;
}

// Each word is atomic; only the sum of several may be inconsistent.
static void count_slot(struct census *census, const struct slot *slot)
{
    census->slots++;
    for (unsigned i = 0; i < CLASSES; i++) {
        struct census_class *size_class = &census->classes[i];
        size_t bin = slot_bin(i);
        move_to_cached(size_class, list_count(slot_look(&slot->loaded[bin])) +
                                       list_count(slot_look(&slot->spare[bin])));
        size_class->handed += slot_handed(slot, bin);
    }
}

void census_take(struct census *census)
{
    memset(census, 0, sizeof *census);
    count_chunks(census);
    for (const struct slot *slot = slot_next(NULL); slot != NULL; slot = slot_next(slot)) {
        count_slot(census, slot);
    }
    for (unsigned i = 0; i < CLASSES; i++) {
        move_to_cached(&census->classes[i], depot_counts(i).magazine_blocks);
    }
}

size_t census_live_bytes(const struct census *census)
{
    size_t bytes = census->large_bytes;
    for (unsigned i = 0; i < CLASSES; i++) {
        bytes += census->classes[i].live_blocks * size_class_bytes(i);
    }
    return bytes - census->slack_bytes;
}
