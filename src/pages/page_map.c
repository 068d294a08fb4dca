/* page_map.c - the tables of the region: areas that grow upwards with the heap.
 *
 * Owns:       the areas of the entries, the bins, the dirty bits and the unit bits.
 * Threads:    page_map_start by start_once(); page_map_open under LOCK_PAGE_HEAP; readers any.
 * Locks:      takes none; live_add() below takes LOCK_LIVE.
 * Invariants: MAP-1  chunks <= opened.
 *             MAP-2  an entry never used is all zero.
 *
 * Nothing is reserved, since a limit on address space (RLIMIT_AS), set before or after our start,
 * would count it. Each area begins in the wide hole between programs and mappings, far from the
 * others, and is extended at its end.
 */
#include "pages/page_map.h"

#include "base/os.h"
#include "base/live.h"

#define OPEN_CHUNKS_MIN 1024UL // 64 KiB of entries, 16 MiB of heap
#define OPEN_CHUNKS_MAX (64UL * 1024)
#define CHUNKS_MAX      (1UL << 31)    // indices are 32 bits wide
#define WHOLE_CHUNKS    (256UL * 1024) // 4 GiB of heap, for an area that cannot grow
#define FORGET_CHUNKS   (16UL * 1024)  // 1 MiB of entries: fewer cost more faults than they hold

enum { AREA_ENTRIES, AREA_BINS, AREA_DIRTY, AREA_UNITS, AREAS };

struct page_map g_page_map;

static _Atomic(bool) g_is_walled; // [atomic] a foreign mapping stopped the last failed growth

static struct area {
    char *start;  // [const] after start
    size_t bytes; // [lock: LOCK_PAGE_HEAP]
} g_areas[AREAS];

// Size of an area for `chunks` (a multiple of OPEN_CHUNKS_MIN), in whole pages.
static size_t area_bytes(unsigned area, size_t chunks)
{
    ASSERT(chunks % OPEN_CHUNKS_MIN == 0);
    switch (area) {
    case AREA_ENTRIES:
        return chunks * sizeof(struct chunk);
    case AREA_BINS:
        return align_up(chunks, 65536);
    case AREA_DIRTY:
        return align_up(chunks / 8, 65536);
    default:
        return align_up(chunks / 8 / (HUGE_PAGE_BYTES / CHUNK_BYTES) + 1, 65536);
    }
}

// After a failed growth: finds out whether a foreign mapping or a lack of memory was the cause.
static NOINLINE COLD void note_wall(size_t bytes)
{
    ASSERT(bytes != 0);
    void *elsewhere = os_map(NULL, bytes);
    atomic_store_explicit(&g_is_walled, elsewhere != NULL, memory_order_relaxed);
    if (elsewhere != NULL) {
        os_unmap(elsewhere, bytes);
    }
}

bool page_map_is_walled(void)
{
    return atomic_load_explicit(&g_is_walled, memory_order_relaxed);
}

// Extends an area at its end; false: out of memory, or something else is mapped there.
static bool area_grow(struct area *area, size_t bytes)
{
    ASSERT(bytes % os_page_bytes() == 0); // the next growth begins where this one ends
    if (bytes > area->bytes) {
        if (os_map_at(area->start + area->bytes, bytes - area->bytes) == NULL) {
            note_wall(bytes - area->bytes);
            return false;
        }
        live_add(MYALLOC_LIVE_REGION_TABLE, area->start + area->bytes, bytes - area->bytes);
        area->bytes = bytes;
    }
    return true;
}

// Starts an area at its place in the hole; if that is taken (sanitizers), anywhere, at full size.
static bool area_start(struct area *area, unsigned place)
{
    ASSERT(place < AREAS);
    area->start = os_hole_address(place);
    if (area_grow(area, area_bytes(place, OPEN_CHUNKS_MIN))) {
        return true;
    }
    size_t bytes = area_bytes(place, WHOLE_CHUNKS);
    area->start = os_map(NULL, bytes);
    area->bytes = area->start != NULL ? bytes : 0;
    return area->start != NULL;
}

bool page_map_start(uintptr_t base)
{
    struct page_map *map = &g_page_map;
    ASSERT(base % CHUNK_BYTES == 0);
    for (unsigned i = 0; i < AREAS; i++) {
        if (!area_start(&g_areas[i], i)) {
            return false;
        }
    }
    if (!page_map_open(OPEN_CHUNKS_MIN)) {
        return false;
    }
    ASSERT(map->opened >= OPEN_CHUNKS_MIN);
    map->base = base;
    map->entries = (struct chunk *)(void *)g_areas[AREA_ENTRIES].start;
    map->bins = (uint8_t *)g_areas[AREA_BINS].start;
    map->dirty = (uint64_t *)(void *)g_areas[AREA_DIRTY].start;
    map->units = (uint64_t *)(void *)g_areas[AREA_UNITS].start;
    return true;
}

bool page_map_open(size_t chunks)
{
    struct page_map *map = &g_page_map;
    if (chunks <= map->opened) {
        return true;
    }
    if (chunks > CHUNKS_MAX) {
        return false;
    }
    size_t step = clamp_size(map->opened / 4, OPEN_CHUNKS_MIN, OPEN_CHUNKS_MAX);
    size_t target = align_up(max_size(chunks, map->opened + step), OPEN_CHUNKS_MIN);
    for (unsigned i = 0; i < AREAS; i++) {
        if (!area_grow(&g_areas[i], area_bytes(i, target))) {
            return false; // areas that did grow stay so for the next attempt
        }
    }
    ASSERT(target >= chunks);
    map->opened = target;
    ASSERT(page_map_count() <= map->opened); // MAP-1
    return true;
}

void page_map_show(void)
{
    for (unsigned i = 0; i < AREAS; i++) {
        live_add(MYALLOC_LIVE_REGION_TABLE, g_areas[i].start, g_areas[i].bytes);
    }
}

void page_map_mark(size_t index, size_t length, enum chunk_state state)
{
    ASSERT(index != 0);
    for (size_t i = index; i < index + length; i++) {
        RELAXED_STORE(page_map_entry(i)->head_distance, 0);
        chunk_set_state(page_map_entry(i), state);
    }
}

void page_map_forget(size_t index, size_t length)
{
    ASSERT(index != 0);
    size_t end = index + length;
    ASSERT(end <= g_page_map.opened);
    size_t in_page = os_page_bytes() / sizeof(struct chunk);
    size_t first = align_up(index, in_page); // the table begins with a page
    size_t last = align_down(end, in_page);
    if (length < FORGET_CHUNKS ||
        !os_purge(page_map_entry(first), (last - first) * sizeof(struct chunk))) { // MAP-2
        first = last = end;
    }
    page_map_mark(index, first - index, CHUNK_NONE);
    page_map_mark(last, end - last, CHUNK_NONE);
}

void page_map_mark_body(struct chunk *head, size_t length)
{
    ASSERT(length != 0);
    for (size_t i = 1; i < length; i++) {
        RELAXED_STORE(head[i].head_distance, (uint32_t)i);
        chunk_set_state(head + i, CHUNK_BODY);
    }
}

void page_map_set_bin(size_t index, size_t length, uint8_t bin)
{
    ASSERT(index != 0);
    ASSERT(index + length <= page_map_count());
    for (size_t i = index; i < index + length; i++) {
        RELAXED_STORE(g_page_map.bins[i], bin);
    }
}
