/* census.c - counts what is in use.
 *
 * Owns:       nothing.
 * Threads:    any; reads what others write, so a count may be a moment old.
 * Locks:      none, but transfer_count() below tries LOCK_TRANSFER.
 * Invariants: CENSUS-1  entries below page_map_count() are always readable memory.
 */
#include "heap/census.h"

#include "heap/bin.h"
#include "heap/medium.h"
#include "heap/orphan.h"
#include "heap/rack.h"
#include "heap/slab.h"
#include "heap/transfer.h"

#include <string.h>

static void count_small(struct census *census, const struct chunk *slab)
{
    const struct remote *remote = page_map_remote(page_map_index(slab));
    struct census_class *class = &census->classes[slab->class];
    size_t free =
        slab_free_count(slab) + atomic_load_explicit(&remote->count, memory_order_relaxed);
    class->slabs++;
    class->live_blocks += free < slab->carved ? slab->carved - free : 0;
}

static void count_medium(struct census *census, const struct chunk *slab)
{
    struct census_class *class = &census->classes[slab->class];
    size_t live = medium_live_count(slab);
    class->slabs++;
    class->live_blocks += live;
    class->cached_blocks += slab->carved - live - (size_t)__builtin_popcountll(slab->mask);
}

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

RACY_READER static void count_chunks(struct census *census)
{
    for (size_t i = 1; i < page_map_count(); i++) { // CENSUS-1
        const struct chunk *entry = page_map_entry(i);
        enum chunk_state state = chunk_state(entry);
        if (chunk_is_small(entry)) {
            count_small(census, entry);
        } else if (state == CHUNK_MEDIUM) {
            count_medium(census, entry);
        } else if (state == CHUNK_RACK) {
            count_rack(census, entry);
        } else if (state == CHUNK_LARGE || state == CHUNK_FENCE) {
            census->large_blocks++;
            census->large_bytes += entry->usable_bytes;
        } else if (state == CHUNK_BASIN) {
            census->tray_count++;
            census->tray_bytes += (size_t)entry->length << CHUNK_SHIFT;
        }
    }
}

static void move_to_cached(struct census_class *class, size_t blocks)
{
    blocks = min_size(blocks, class->live_blocks);
    class->live_blocks -= blocks;
    class->cached_blocks += blocks;
}

RACY_READER static void count_heap(struct census *census, const struct heap *heap, bool is_own)
{
    census->heaps++;
    census->heaps_bound += heap->bins != NULL;
    for (unsigned i = 0; i < SMALL_CLASSES; i++) {
        struct census_class *class = &census->classes[i];
        size_t in_bin = is_own && heap->bins != NULL ? bin_length(heap, i) : 0;
        move_to_cached(class, heap->foreign[i].count + in_bin);
        class->handed += heap->handed[i] + bin_absorbed(heap, i) - in_bin;
    }
    for (unsigned i = 0; i < MEDIUM_CLASSES; i++) {
        census->classes[SMALL_CLASSES + i].handed += heap->magazine_handed[i];
    }
}

void census_take(struct census *census, const struct heap *own)
{
    memset(census, 0, sizeof *census);
    count_chunks(census);
    for (const struct heap *heap = orphan_next_heap(NULL); heap != NULL;
         heap = orphan_next_heap(heap)) {
        count_heap(census, heap, heap == own);
    }
    for (unsigned i = 0; i < SMALL_CLASSES; i++) {
        move_to_cached(&census->classes[i], transfer_count(i));
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
