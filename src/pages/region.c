/* region.c - grows and lowers the break, or the mappings that stand in for it.
 *
 * Owns:       the end of our range.
 * Threads:    under LOCK_PAGE_HEAP, except that glibc's sbrk is not covered: other users of it may
 *             run at any moment. We check the break before and after each move, and switch to
 *             mappings, at a distance, as soon as somebody else has moved it: their next sbrk(-n)
 *             must not cut into our heap.
 * Locks:      takes none.
 * Invariants: REGION-1  [1, chunks) of the map holds all that is ours; gaps are CHUNK_NONE.
 *             REGION-2  the break is lowered only when it still equals our end.
 *             REGION-3  a gap in the list is below our end, and contains nothing of ours.
 */
#include "pages/region.h"

#include "base/os.h"
#include "base/tables.h"
#include "pages/page_map.h"
#include "base/live.h"

#define MAP_TRIES 16  // addresses to try before we give up
#define GAPS      128 // remembered for reuse: the tables already cover them

// Chunks that region_punch unmapped; 0 chunks: an unused entry of the list.
struct gap {
    size_t first, chunks;
};

static struct {
    uintptr_t end;         // [lock: LOCK_PAGE_HEAP] end of our last chunk
    struct gap gaps[GAPS]; // [lock: LOCK_PAGE_HEAP] REGION-3
    struct region_stats stats;
} g_region;

TABLE(region, .id = MYALLOC_TABLE_REGION, .address = &g_region.stats, .count = 1,
      .bytes = sizeof(struct region_stats),
      .fields = {offsetof(struct region_stats, break_bytes),
                 offsetof(struct region_stats, map_bytes)});

// Above this address are the loader's mappings and the stack: a break found there, as under
// `ld.so ./prog`, has no room to grow.
#define BREAK_ADDRESS_MAX ((uintptr_t)7 << (CPU_ADDRESS_BITS - 3))
#define MAPS_PLACE        4 // of os_hole_address

static uintptr_t align_for_all(uintptr_t address)
{
    return align_up(address, max_size(CHUNK_BYTES, os_page_bytes()));
}

bool region_start(bool use_break)
{
    uintptr_t at = use_break ? (uintptr_t)os_break() : 0;
    if (at == 0 || at >= BREAK_ADDRESS_MAX) {
        g_region.stats.kind = REGION_MAPS;
        g_region.end = align_for_all((uintptr_t)os_hole_address(MAPS_PLACE));
    } else {
        g_region.stats.kind = REGION_BREAK;
        g_region.end = at;
    }
    ASSERT(g_region.end != 0);
    return page_map_start(align_for_all(g_region.end) - CHUNK_BYTES);
}

// Raises the break; returns the start of the new memory, 0 if refused or if others moved the break.
static uintptr_t grow_break(size_t bytes)
{
    ASSERT(bytes % CHUNK_BYTES == 0);
    ASSERT(g_region.stats.kind == REGION_BREAK); // never used again after the first mapping
    uintptr_t start = align_for_all(g_region.end);
    size_t whole = start - g_region.end + bytes;
    if ((uintptr_t)os_break() != g_region.end) {
        g_region.stats.foreign++;
        return 0;
    }
    uintptr_t old = (uintptr_t)os_break_move((intptr_t)whole);
    if (old == 0 || old == g_region.end) {
        return old == 0 ? 0 : start;
    }
    g_region.stats.foreign++; // somebody moved it in between
    if ((uintptr_t)os_break() == old + whole) {
        os_break_move(-(intptr_t)whole);
    }
    return 0;
}

// Maps memory right at our end or, if that is taken, at growing distances above it. A refusal ends
// the search: the address is not the cause, and the tables must cover all addresses up to the heap.
static uintptr_t grow_maps(size_t bytes)
{
    ASSERT(bytes % CHUNK_BYTES == 0);
    uintptr_t start = align_for_all(g_region.end);
    if (g_region.stats.kind == REGION_BREAK) {
        start = align_for_all(max_size(start, (uintptr_t)os_break()) + GROW_GAP_BYTES);
    }
    for (unsigned i = 0; i < MAP_TRIES; i++) {
        void *hint = (void *)start; // NOLINT: we choose the address
        void *at = os_map(hint, bytes);
        if (at == NULL || at == hint) {
            return (uintptr_t)at;
        }
        os_unmap(at, bytes);
        start += GROW_GAP_BYTES << i;
    }
    return 0;
}

static size_t index_of(uintptr_t address)
{
    ASSERT(address > g_page_map.base);
    return (address - g_page_map.base) >> CHUNK_SHIFT;
}

static void undo_growth(uintptr_t start, size_t bytes, enum region_kind kind)
{
    ASSERT(start >= g_region.end);
    if (kind == REGION_MAPS) {
        os_unmap((void *)start, bytes); // NOLINT: our own mapping
    } else {
        os_break_move(-(intptr_t)bytes);
    }
}

// Attempts to grow by exactly `chunks`.
static size_t grow_exactly(size_t chunks, enum region_kind kind)
{
    size_t bytes = chunks << CHUNK_SHIFT;
    uintptr_t start = kind == REGION_BREAK ? grow_break(bytes) : grow_maps(bytes);
    if (start == 0) {
        return 0;
    }
    size_t first = index_of(start);
    if (!page_map_open(first + chunks)) {
        undo_growth(start, bytes, kind);
        return 0;
    }
    g_region.end = start + bytes;
    g_region.stats.kind = kind;
    ASSERT(first >= page_map_count());
    page_map_publish(first + chunks);
    ASSERT(index_of(g_region.end) == page_map_count()); // REGION-1
    return first;
}

static void count_growth(const void *start, size_t bytes, enum region_kind kind)
{
    struct region_stats *stats = &g_region.stats;
    if (kind == REGION_BREAK) {
        stats->break_bytes += bytes;
        live_event(MYALLOC_LIVE_EVENT_BRK_GROW, start, bytes);
        live_add(MYALLOC_LIVE_REGION_BRK, start, bytes);
    } else {
        stats->map_bytes += bytes;
        live_event(MYALLOC_LIVE_EVENT_MMAP, start, bytes);
        live_add(MYALLOC_LIVE_REGION_MMAP, start, bytes);
    }
    stats->grows++;
    stats->bytes_max = max_size(stats->bytes_max, stats->break_bytes + stats->map_bytes);
}

size_t region_grow(size_t need, size_t wish, size_t *got)
{
    ASSERT(need != 0);
    ASSERT(need <= wish);
    // Whole pages: the next growth begins right behind this one.
    size_t page_chunks = max_size(1, os_page_bytes() >> CHUNK_SHIFT);
    need = align_up(need, page_chunks);
    wish = align_up(wish, page_chunks);
    size_t chunks_min = page_map_count() + need;
    if (UNLIKELY(page_map_is_walled()) && !page_map_open(chunks_min)) {
        return 0; // one attempt, not one per size and address
    }
    for (enum region_kind kind = g_region.stats.kind; kind <= REGION_MAPS; kind++) {
        // Halves the wish down to the need, so that a limit is used up before anything fails.
        for (size_t chunks = wish;; chunks = max_size(need, align_down(chunks / 2, page_chunks))) {
            size_t first = grow_exactly(chunks, kind);
            if (first != 0) {
                *got = chunks;
                count_growth(page_map_address(first), chunks << CHUNK_SHIFT, kind);
                return first;
            }
            if (chunks == need) {
                break;
            }
        }
    }
    return 0;
}

static void forget_gaps_from(size_t first)
{
    for (struct gap *gap = g_region.gaps; gap < g_region.gaps + GAPS; gap++) {
        gap->chunks = gap->first < first ? gap->chunks : 0; // REGION-3
    }
}

bool region_shrink(size_t first)
{
    ASSERT(first != 0);
    size_t chunks = page_map_count();
    uintptr_t start = (uintptr_t)page_map_address(first);
    size_t bytes = g_region.end - start;
    bool is_break = g_region.stats.kind == REGION_BREAK;
    if (first >= chunks || index_of(g_region.end) != chunks) {
        return false;
    }
    if (is_break && (uintptr_t)os_break() != g_region.end) { // REGION-2
        g_region.stats.foreign++;
        return false;
    }
    page_map_publish(first); // before the addresses are released
    if (is_break) {
        if (os_break_move(-(intptr_t)bytes) == NULL) {
            page_map_publish(chunks);
            return false;
        }
        g_region.stats.break_bytes -= bytes;
    } else {
        os_unmap((void *)start, bytes); // NOLINT: our own mapping
        g_region.stats.map_bytes -= bytes;
    }
    live_event(is_break ? MYALLOC_LIVE_EVENT_TRIM : MYALLOC_LIVE_EVENT_MUNMAP,
               page_map_address(first), bytes);
    live_cut(is_break ? MYALLOC_LIVE_REGION_BRK : MYALLOC_LIVE_REGION_MMAP, page_map_address(first),
             bytes);
    g_region.end = start;
    ASSERT(index_of(g_region.end) == page_map_count()); // REGION-1
    g_region.stats.shrinks++;
    forget_gaps_from(first);
    return true;
}

// Records a gap, joined with adjacent ones; if there are too many, the shortest is dropped.
static COLD void remember_gap(struct gap new)
{
    ASSERT(new.chunks != 0);
    ASSERT(new.first + new.chunks <= page_map_count()); // REGION-3
    struct gap *shortest = g_region.gaps;
    for (struct gap *gap = g_region.gaps; gap < g_region.gaps + GAPS; gap++) {
        bool is_before = gap->first + gap->chunks == new.first;
        if (is_before || new.first + new.chunks == gap->first) {
            new.first = is_before ? gap->first : new.first;
            new.chunks += gap->chunks;
            gap->chunks = 0;
        }
        shortest = gap->chunks < shortest->chunks ? gap : shortest;
    }
    if (shortest->chunks < new.chunks) {
        *shortest = new;
    }
}

COLD void region_punch(size_t first, size_t chunks)
{
    ASSERT(chunk_state(page_map_entry(first)) == CHUNK_NONE); // REGION-1
    size_t bytes = chunks << CHUNK_SHIFT;
    os_unmap(page_map_address(first), bytes);
    if (g_region.stats.break_bytes >= bytes) {
        g_region.stats.break_bytes -= bytes;
    } else {
        g_region.stats.map_bytes -= min_size(bytes, g_region.stats.map_bytes);
    }
    remember_gap((struct gap){first, chunks});
}

// Maps the first `chunks` of a gap.
static bool fill_gap(struct gap *gap, size_t chunks)
{
    ASSERT(chunks != 0);
    void *start = page_map_address(gap->first);
    if (gap->chunks < chunks || os_map_at(start, chunks << CHUNK_SHIFT) == NULL) {
        return false;
    }
    gap->first += chunks;
    gap->chunks -= chunks;
    count_growth(start, chunks << CHUNK_SHIFT, REGION_MAPS);
    return true;
}

size_t region_fill(size_t need, size_t wish, size_t *got)
{
    ASSERT(need != 0);
    ASSERT(need <= wish);
    size_t page_chunks = max_size(1, os_page_bytes() >> CHUNK_SHIFT);
    need = align_up(need, page_chunks);
    wish = align_up(wish, page_chunks);
    for (struct gap *gap = g_region.gaps; gap < g_region.gaps + GAPS; gap++) {
        size_t first = gap->first;
        *got = min_size(gap->chunks, wish);
        if (*got >= need && fill_gap(gap, *got)) {
            return first;
        }
        *got = need;
        if (gap->chunks >= need && fill_gap(gap, need)) {
            return first;
        }
    }
    return 0;
}

struct region_stats region_stats(void)
{
    return g_region.stats;
}
