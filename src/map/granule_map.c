/* granule_map.c - the tables of the region: reserved once as addresses, opened as the heap grows.
 *
 * Owns:       the reservation: [dirty bits | entries ... | remotes ...].
 * Threads:    granule_map_start by start_once(); granule_map_open under LOCK_RUN; readers any.
 * Locks:      takes none.
 * Invariants: MAP-1  granules <= opened <= window.
 *             MAP-2  an entry never used is all zero.
 */
#include "map/granule_map.h"

#include "base/os.h"

#define WINDOW_GRANULES_MIN 256UL  // 4 MiB of heap: below that we do not start
#define OPEN_GRANULES_MIN   1024UL // 64 KiB of entries
#define OPEN_GRANULES_MAX   (64UL * 1024)

struct granule_map g_granule_map;

static size_t dirty_bytes(size_t window)
{
    return align_up(window / 8, 65536);
}

// Memory and a quarter more, but never more addresses than the process may have.
static size_t window_wanted(void)
{
    size_t memory = os_memory_bytes();
    size_t bytes = max_size(memory + memory / 4, 1UL << 30);
    bytes = min_size(bytes, os_address_limit_bytes());
    return max_size(align_up(bytes >> GRANULE_SHIFT, OPEN_GRANULES_MIN), OPEN_GRANULES_MIN);
}

bool granule_map_start(uintptr_t base)
{
    struct granule_map *map = &g_granule_map;
    ASSERT(base % GRANULE_BYTES == 0);
    for (size_t window = window_wanted(); window >= WINDOW_GRANULES_MIN; window /= 2) {
        size_t entries_bytes = align_up(window * sizeof(struct granule), 65536);
        size_t remotes_bytes = align_up(window * sizeof(struct remote), 65536);
        char *tables = os_reserve(dirty_bytes(window) + entries_bytes + remotes_bytes);
        if (tables == NULL) {
            continue;
        }
        map->base = base;
        map->window = window;
        map->dirty = (uint64_t *)(void *)tables;
        map->entries = (struct granule *)(void *)(tables + dirty_bytes(window));
        map->remotes = (struct remote *)(void *)(tables + dirty_bytes(window) + entries_bytes);
        return true;
    }
    return false;
}

// The dirty bits are small: opened whole, together with the first entries.
static bool open_entries(size_t from, size_t to)
{
    struct granule_map *map = &g_granule_map;
    char *start = (char *)(map->entries + from);
    char *end = (char *)(map->entries + to);
    if (from == 0) {
        start = (char *)map->dirty;
    }
    return os_commit(start, (size_t)(end - start));
}

bool granule_map_open(size_t granules)
{
    struct granule_map *map = &g_granule_map;
    if (granules <= map->opened) {
        return true;
    }
    if (granules > map->window) {
        return false;
    }
    // Whole pages of every size: 1024 entries are 64 KiB.
    size_t step = clamp_size(map->opened, OPEN_GRANULES_MIN, OPEN_GRANULES_MAX);
    size_t target = align_up(max_size(granules, map->opened + step), OPEN_GRANULES_MIN);
    target = min_size(target, map->window);
    if (!open_entries(map->opened, target) ||
        !os_commit(map->remotes + map->opened, (target - map->opened) * sizeof(struct remote))) {
        return false;
    }
    map->opened = target;
    ASSERT(granule_map_count() <= map->opened); // MAP-1
    return true;
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
