/* units.c - the bits of the units, and the huge pages requested for them.
 *
 * Owns:       g_page_map.units.
 * Threads:    the holder of LOCK_PAGE_HEAP.
 * Locks:      takes none.
 * Invariants: UNITS-1  huge pages were not requested for a unit whose bit is clear, or were refused
 *                      since.
 *             UNITS-2  only the first UNITS_MAX units may be requested: each one that is refused
 *                      may become a mapping of its own, and these are limited (vm.max_map_count).
 */
#include "pages/units.h"

#include "base/bits.h"
#include "base/check.h"
#include "pages/dirty.h"
#include "pages/huge_pages.h"
#include "pages/page_map.h"

#define UNITS_MAX    8192UL              // 16 GiB
#define SPARSE_SHIFT 3                   // an eighth of a unit may be sparse
#define DENSE_LEAST  UNIT_CHUNKS         // dense chunks allocated before the first request
#define DENSE_MOST   (8UL * UNIT_CHUNKS) // upper bound of that count

static struct {
    bool has_any; // [lock: LOCK_PAGE_HEAP] huge pages were requested for some unit
    size_t dense; // [lock: LOCK_PAGE_HEAP] recent dense chunks, less eight times the sparse ones
} g_units;

bool units_any(void)
{
    return g_units.has_any;
}

bool units_is_huge(size_t unit)
{
    return ((g_page_map.units[unit / 64] >> (unit % 64)) & 1) != 0;
}

bool units_fill(size_t length, bool is_dense)
{
    if (is_dense) {
        g_units.dense = min_size(g_units.dense + length, DENSE_MOST);
    } else {
        g_units.dense -= min_size(length << SPARSE_SHIFT, g_units.dense);
    }
    return is_dense && g_units.dense >= DENSE_LEAST;
}

void units_ask(size_t span, size_t end, size_t index, size_t length)
{
    ASSERT(index >= span);
    ASSERT(index + length <= end);
    if (length >= HUGE_PAGE_BLOCK_MIN >> CHUNK_SHIFT) { // it may be empty in part
        span = index;
        end = index + length;
    }
    size_t unit = max_size(page_map_unit(index), page_map_unit(span + UNIT_CHUNKS - 1));
    size_t last = min_size(page_map_unit(index + length - 1), UNITS_MAX - 1); // UNITS-2
    while (unit <= last) {
        size_t run = 0; // adjacent units: one call
        size_t start = page_map_unit_start(unit);
        for (; unit <= last && page_map_unit_start(unit + 1) <= end && !units_is_huge(unit) &&
               dirty_is_none(page_map_unit_start(unit), UNIT_CHUNKS);
             unit++, run++) {
            ASSERT(unit < UNITS_MAX);                          // UNITS-2
            g_page_map.units[unit / 64] |= 1UL << (unit % 64); // UNITS-1
        }
        if (run != 0) {
            g_units.has_any = true;
            huge_pages_ask(page_map_address(start), run * HUGE_PAGE_BYTES);
        }
        unit += run == 0;
    }
}

void units_refuse(size_t first, size_t chunks)
{
    ASSERT(chunks != 0);
    if (!g_units.has_any) {
        return;
    }
    for (size_t unit = page_map_unit(first); unit <= page_map_unit(first + chunks - 1); unit++) {
        if (units_is_huge(unit)) {
            g_page_map.units[unit / 64] &= ~(1UL << (unit % 64));
            huge_pages_refuse(page_map_address(page_map_unit_start(unit)), HUGE_PAGE_BYTES);
        }
    }
}

void units_forget(size_t first, size_t chunks)
{
    ASSERT(chunks != 0);
    for (size_t unit = page_map_unit(first); unit <= page_map_unit(first + chunks - 1); unit++) {
        g_page_map.units[unit / 64] &= ~(1UL << (unit % 64)); // UNITS-1
    }
}
