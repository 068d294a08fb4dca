/* dirty.c - the dirty bits.
 *
 * Owns:       g_page_map.dirty.
 * Threads:    the holder of LOCK_PAGE_HEAP.
 * Locks:      takes none.
 * Invariants: DIRTY-1  no chunk from dirty_end() on is dirty; see SPAN-3, too.
 */
#include "pages/dirty.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/config.h"
#include "pages/page_map.h"

static size_t g_end; // [lock: LOCK_PAGE_HEAP] DIRTY-1

size_t dirty_end(void)
{
    return g_end;
}

// The bits of a range that are in its first word: returns how many, and sets their mask.
static size_t dirty_mask(size_t index, size_t length, uint64_t *mask)
{
    ASSERT(length != 0);
    size_t bit = index % 64;
    size_t bits = min_size(length, 64 - bit);
    *mask = (bits == 64 ? ~0UL : (1UL << bits) - 1) << bit;
    return bits;
}

size_t dirty_exchange(size_t index, size_t length, bool dirty)
{
    ASSERT(index != 0);
    ASSERT(index + length <= g_page_map.opened);
    size_t count = 0;
    if (dirty) {
        g_end = max_size(g_end, index + length);
    } else if (index + length >= g_end) {
        g_end = min_size(g_end, index);
    }
    if (length == 1) { // a small slab
        uint64_t bit = 1UL << (index % 64);
        uint64_t *word = &g_page_map.dirty[index / 64];
        count = (*word & bit) != 0;
        RELAXED_STORE(*word, dirty ? *word | bit : *word & ~bit);
        return count;
    }
    while (length != 0) {
        uint64_t mask;
        size_t bits = dirty_mask(index, length, &mask);
        uint64_t *word = &g_page_map.dirty[index / 64];
        count += (size_t)__builtin_popcountll(*word & mask);
        RELAXED_STORE(*word, dirty ? *word | mask : *word & ~mask);
        index += bits;
        length -= bits;
    }
    return count;
}

bool dirty_is_all(size_t index, size_t length)
{
    while (length != 0) {
        uint64_t mask;
        size_t bits = dirty_mask(index, length, &mask);
        if ((g_page_map.dirty[index / 64] & mask) != mask) {
            return false;
        }
        index += bits;
        length -= bits;
    }
    return true;
}

bool dirty_is_none(size_t index, size_t length)
{
    while (length != 0) {
        uint64_t mask;
        size_t bits = dirty_mask(index, length, &mask);
        if ((g_page_map.dirty[index / 64] & mask) != 0) {
            return false;
        }
        index += bits;
        length -= bits;
    }
    return true;
}

size_t dirty_highest_below(size_t end, size_t *count)
{
    bool is_highest = end >= g_end;
    end = min_size(end, g_end);
    for (size_t word = (end + 63) / 64; word-- != 0;) {
        uint64_t bits = g_page_map.dirty[word];
        if (end % 64 != 0 && word == end / 64) {
            bits &= (1UL << (end % 64)) - 1;
        }
        if (bits == 0) {
            continue;
        }
        size_t top = 63U - (size_t)__builtin_clzll(bits);
        g_end = is_highest ? word * 64 + top + 1 : g_end;
        uint64_t below = ~(bits << (63 - top)); // as many leading zeros as bits set in a row
        size_t row = below == 0 ? 64 : (size_t)__builtin_clzll(below);
        row = min_size(row, top + 1);
        *count = min_size(row, PURGE_STEP_BYTES >> CHUNK_SHIFT);
        ASSERT(*count != 0);
        ASSERT(word * 64 + top < end);
        return word * 64 + top + 1 - *count;
    }
    g_end = is_highest ? 0 : g_end;
    *count = 0;
    return 0;
}
