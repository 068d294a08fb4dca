/* depot_look.c - looks at depots for others, and verifies them.
 *
 * Owns:       nothing; see depot_data.h.
 * Threads:    any.
 * Locks:      LOCK_DEPOT, one class at a time.
 * Invariants: those of depot.c.
 */
#include "core/depot_look.h"

#include "core/depot_data.h"
#include "core/inherited.h"
#include "core/slab.h"

static bool is_among(list_word list, const void *block, unsigned most)
{
    for (unsigned i = 0; i < most && !list_is_empty(list) && list_is_sound(list); i++) {
        if (list_first(list) == block) {
            return true;
        }
        list = list_link(list_first(list));
    }
    return false;
}

bool depot_holds(unsigned sc, const void *block, unsigned most)
{
    struct depot *depot = &g_depot.of[sc];
    lock_acquire(&depot->lock);
    bool holds = is_among(slab_of(block)->free, block, most);
    for (unsigned i = 0; i < depot->count && !holds; i++) {
        holds = is_among(magazines_of(depot)[i], block, most);
    }
    lock_release(&depot->lock);
    return holds;
}

struct depot_counts depot_counts(unsigned sc)
{
    struct depot *depot = &g_depot.of[sc];
    bool was_taken = lock_acquire_to_look(&depot->lock);
    struct depot_counts counts = {depot->slabs, depot->blocks};
    lock_release_after_look(&depot->lock, was_taken);
    return counts;
}

size_t depot_out_bytes(void)
{
    size_t bytes = 0;
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        size_t out = RELAXED_LOAD(g_depot.of[sc].out);
        ASSERT((ptrdiff_t)out >= 0);
        bytes += out * size_class_bytes(sc);
    }
    return bytes;
}

unsigned depot_look(unsigned sc, list_word *lists, unsigned most)
{
    const struct depot *depot = &g_depot.of[sc];
    unsigned count = (unsigned)min_size(RELAXED_LOAD(depot->count), most);
    for (unsigned i = 0; i < count; i++) {
        lists[i] = RELAXED_LOAD(magazines_of(depot)[i]);
    }
    return count;
}

static void check_class(const struct depot *depot, unsigned sc)
{
    size_t blocks = 0;
    size_t empties = 0;
    for (unsigned i = 0; i < depot->count; i++) {
        blocks += list_count(magazines_of(depot)[i]);
    }
    VERIFY(blocks == depot->blocks);
    for (uint32_t i = depot->partial; i != 0; i = page_map_entry(i)->next) {
        const struct chunk *slab = page_map_entry(i);
        VERIFY(chunk_state(slab) == CHUNK_SLAB);
        VERIFY(slab->sc == sc);
        VERIFY(slab_has_blocks(slab)); // DEPOT-1
        empties += slab_is_idle(slab);
    }
    VERIFY(empties == (depot->empty != 0)); // DEPOT-3
    size_t out = 0;
    size_t slabs = 0;
    for (size_t i = 1; i < page_map_count(); i++) {
        const struct chunk *slab = page_map_entry(i);
        if (chunk_state(slab) == CHUNK_SLAB && slab->sc == sc) {
            VERIFY(slab_free_count(slab) <= slab->carved); // SLAB-1
            VERIFY(slab->carved <= slab_reached(slab));    // SLAB-2
            out += slab_out_count(slab) - inherited_count(slab);
            slabs++;
        }
    }
    VERIFY(slabs == depot->slabs);
    VERIFY(out == depot->out + depot->blocks); // DEPOT-2
}

void depot_check(void)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        check_class(&g_depot.of[sc], sc);
    }
}
