/* granule_map.c - the tables of the region: three areas that grow upwards as the heap does.
 *
 * Owns:       the areas of the entries, the remotes and the dirty bits.
 * Threads:    granule_map_start by start_once(); granule_map_open under LOCK_RUN; readers any.
 * Locks:      takes none; live_add() below takes LOCK_LIVE.
 * Invariants: MAP-1  granules <= opened.
 *             MAP-2  an entry never used is all zero.
 *
 * No reservation: a limit on addresses, set before or after our start, counts every one of them.
 * Each area begins in the wide hole between programs and mappings, far from the next one, and is
 * extended at its end.
 */
#include "map/granule_map.h"

#include "base/os.h"
#include "side/live.h"

#define OPEN_GRANULES_MIN 1024UL // 64 KiB of entries, 16 MiB of heap
#define OPEN_GRANULES_MAX (64UL * 1024)
#define GRANULES_MAX      (1UL << 31)    // indices are 32 bits wide
#define WHOLE_GRANULES    (256UL * 1024) // 4 GiB of heap, for an area that cannot grow

enum { AREA_ENTRIES, AREA_REMOTES, AREA_DIRTY, AREAS };

struct granule_map g_granule_map;

static struct area {
    char *start;  // [const] after start
    size_t bytes; // [lock: LOCK_RUN]
} g_areas[AREAS];

// Bytes of an area for so many granules (a multiple of OPEN_GRANULES_MIN): whole pages.
static size_t area_bytes(unsigned area, size_t granules)
{
    switch (area) {
    case AREA_ENTRIES:
        return granules * sizeof(struct granule);
    case AREA_REMOTES:
        return granules * sizeof(struct remote);
    default:
        return align_up(granules / 8, 65536);
    }
}

// Extends an area at its end; false without memory, or where something else stands there.
static bool area_grow(struct area *area, size_t bytes)
{
    if (bytes > area->bytes) {
        if (os_map_at(area->start + area->bytes, bytes - area->bytes) == NULL) {
            return false;
        }
        live_add(MYALLOC_LIVE_REGION_TABLE, area->start + area->bytes, bytes - area->bytes);
        area->bytes = bytes;
    }
    return true;
}

// Begins an area at its place in the hole; where that is taken (sanitizers), anywhere, whole.
static bool area_start(struct area *area, unsigned place)
{
    area->start = os_hole_address(place);
    if (area_grow(area, area_bytes(place, OPEN_GRANULES_MIN))) {
        return true;
    }
    size_t bytes = area_bytes(place, WHOLE_GRANULES);
    area->start = os_map(NULL, bytes);
    area->bytes = area->start != NULL ? bytes : 0;
    return area->start != NULL;
}

bool granule_map_start(uintptr_t base)
{
    struct granule_map *map = &g_granule_map;
    ASSERT(base % GRANULE_BYTES == 0);
    for (unsigned i = 0; i < AREAS; i++) {
        if (!area_start(&g_areas[i], i)) {
            return false;
        }
    }
    if (!granule_map_open(OPEN_GRANULES_MIN)) {
        return false;
    }
    map->base = base;
    map->entries = (struct granule *)(void *)g_areas[AREA_ENTRIES].start;
    map->remotes = (struct remote *)(void *)g_areas[AREA_REMOTES].start;
    map->dirty = (uint64_t *)(void *)g_areas[AREA_DIRTY].start;
    return true;
}

bool granule_map_open(size_t granules)
{
    struct granule_map *map = &g_granule_map;
    if (granules <= map->opened) {
        return true;
    }
    if (granules > GRANULES_MAX) {
        return false;
    }
    size_t step = clamp_size(map->opened / 4, OPEN_GRANULES_MIN, OPEN_GRANULES_MAX);
    size_t target = align_up(max_size(granules, map->opened + step), OPEN_GRANULES_MIN);
    for (unsigned i = 0; i < AREAS; i++) {
        if (!area_grow(&g_areas[i], area_bytes(i, target))) {
            return false; // the areas that did grow are found longer the next time
        }
    }
    map->opened = target;
    ASSERT(granule_map_count() <= map->opened); // MAP-1
    return true;
}

void granule_map_show(void)
{
    for (unsigned i = 0; i < AREAS; i++) {
        live_add(MYALLOC_LIVE_REGION_TABLE, g_areas[i].start, g_areas[i].bytes);
    }
}

static void purge_inside(uintptr_t start, uintptr_t end)
{
    start = align_up(start, os_page_bytes());
    end = align_down(end, os_page_bytes());
    if (start < end) {
        os_purge((void *)start, end - start); // NOLINT: our own tables
    }
}

void granule_map_forget(size_t index, size_t length)
{
    uintptr_t entries = (uintptr_t)granule_map_entry(index);
    uintptr_t remotes = (uintptr_t)granule_map_remote(index);
    purge_inside(entries, entries + length * sizeof(struct granule)); // MAP-2
    purge_inside(remotes, remotes + length * sizeof(struct remote));
}

void granule_map_mark_body(struct granule *head, size_t length)
{
    for (size_t i = 1; i < length; i++) {
        granule_set_owner(head + i, NULL);
        head[i].head_distance = (uint32_t)i;
        head[i].class = head->class;
        granule_set_state(head + i, GRANULE_BODY);
    }
}
