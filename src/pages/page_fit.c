/* page_fit.c - the bins of free spans and the three classic policies over them.
 *
 * Owns:       the bins: spans of 1 to 32 chunks by exact length, longer ones in quarters of a
 *             doubling; a bitmap records which are not empty.
 * Threads:    under LOCK_PAGE_HEAP.
 * Locks:      takes none.
 * Invariants: FIT-1  bit b is set exactly when bin b has a span.
 *             FIT-2  every span in bin b has page_fit_bin(length) == b.
 */
#include "pages/page_fit.h"

#include "pages/page_map.h"

#include <limits.h>

#define EXACT_BINS 32
#define BINS       128
#define BEST_LOOKS 16U // spans of one bin that best fit compares

static struct {
    uint64_t filled[BINS / 64]; // [lock: LOCK_PAGE_HEAP] FIT-1
    uint32_t heads[BINS];       // [lock: LOCK_PAGE_HEAP] first span of each bin; 0 none
    enum page_fit_policy policy;
} g_page_fit = {.policy = PAGE_FIT_BEST};

void page_fit_set_policy(enum page_fit_policy policy)
{
    ASSERT(policy <= PAGE_FIT_SEGREGATED);
    g_page_fit.policy = policy;
}

static unsigned page_fit_bin(size_t length)
{
    ASSERT(length != 0);
    if (length <= EXACT_BINS) {
        return (unsigned)length - 1;
    }
    unsigned shift = log2_floor(length); // from 5
    unsigned quarter = (unsigned)(length >> (shift - 2)) & 3;
    unsigned bin = EXACT_BINS + (shift - 5) * 4 + quarter;
    return bin < BINS ? bin : BINS - 1;
}

void page_fit_insert(size_t index)
{
    ASSERT(index != 0);
    ASSERT(index < page_map_count());
    struct chunk *span = page_map_entry(index);
    unsigned bin = page_fit_bin(span->length);
    span->prev = 0;
    span->next = g_page_fit.heads[bin];
    if (span->next != 0) {
        page_map_entry(span->next)->prev = (uint32_t)index;
    }
    g_page_fit.heads[bin] = (uint32_t)index;
    g_page_fit.filled[bin / 64] |= 1UL << (bin % 64); // FIT-1
}

void page_fit_remove(size_t index)
{
    struct chunk *span = page_map_entry(index);
    unsigned bin = page_fit_bin(span->length);
    ASSERT(((g_page_fit.filled[bin / 64] >> (bin % 64)) & 1) != 0); // FIT-1
    if (span->next != 0) {
        page_map_entry(span->next)->prev = span->prev;
    }
    if (span->prev != 0) {
        page_map_entry(span->prev)->next = span->next;
        return;
    }
    ASSERT(g_page_fit.heads[bin] == index); // FIT-2
    g_page_fit.heads[bin] = span->next;
    if (span->next == 0) {
        g_page_fit.filled[bin / 64] &= ~(1UL << (bin % 64)); // FIT-1
    }
}

// The first bin at or above `bin` that has a span; BINS if there is none.
static unsigned next_filled(unsigned bin)
{
    for (unsigned word = bin / 64; word < BINS / 64; word++) {
        uint64_t bits = g_page_fit.filled[word];
        if (word == bin / 64) {
            bits &= ~0UL << (bin % 64);
        }
        if (bits != 0) {
            ASSERT(g_page_fit.heads[word * 64 + (unsigned)__builtin_ctzll(bits)] != 0); // FIT-1
            return word * 64 + (unsigned)__builtin_ctzll(bits);
        }
    }
    return BINS;
}

static size_t find_first(size_t length)
{
    size_t lowest = 0;
    for (unsigned bin = next_filled(page_fit_bin(length)); bin < BINS; bin = next_filled(bin + 1)) {
        for (size_t i = g_page_fit.heads[bin]; i != 0; i = page_map_entry(i)->next) {
            if (page_map_entry(i)->length >= length && (lowest == 0 || i < lowest)) {
                lowest = i;
            }
        }
    }
    return lowest;
}

// Prefers the shorter span; among equals the one that may be resident, then the lower one.
static bool is_better(size_t candidate, size_t best)
{
    ASSERT(candidate != best);
    if (best == 0) {
        return true;
    }
    size_t length = page_map_entry(candidate)->length;
    size_t best_length = page_map_entry(best)->length;
    if (length != best_length) {
        return length < best_length;
    }
    bool is_dirty = page_map_is_dirty(candidate);
    bool best_is_dirty = page_map_is_dirty(best);
    return is_dirty != best_is_dirty ? is_dirty : candidate < best;
}

// The best of the first `looks` spans of a bin; 0 if none of them fits.
static size_t best_in(unsigned bin, size_t length, unsigned looks)
{
    size_t best = 0;
    for (size_t i = g_page_fit.heads[bin]; i != 0 && looks-- > 0; i = page_map_entry(i)->next) {
        ASSERT(page_fit_bin(page_map_entry(i)->length) == bin); // FIT-2
        if (page_map_entry(i)->length >= length && is_better(i, best)) {
            best = i;
        }
    }
    return best;
}

// Bins above the first hold only spans that fit. In the first bin, or the last, the only span that
// fits may be far back: page_fit_find_hidden() finds it when nothing else is left.
static size_t find_best(size_t length)
{
    unsigned first = page_fit_bin(length);
    for (unsigned bin = next_filled(first); bin < BINS; bin = next_filled(bin + 1)) {
        size_t best = best_in(bin, length, BEST_LOOKS);
        if (best != 0) {
            return best;
        }
    }
    return 0;
}

COLD size_t page_fit_find_hidden(size_t length)
{
    ASSERT(length != 0);
    return best_in(page_fit_bin(length), length, UINT_MAX);
}

static size_t find_segregated(size_t length)
{
    unsigned bin = page_fit_bin(length);
    size_t same = g_page_fit.heads[bin];
    if (same != 0 && page_map_entry(same)->length >= length) {
        return same;
    }
    unsigned above = next_filled(bin + 1);
    return above < BINS ? g_page_fit.heads[above] : find_best(length);
}

size_t page_fit_find(size_t length)
{
    ASSERT(length != 0);
    switch (g_page_fit.policy) {
    case PAGE_FIT_FIRST:
        return find_first(length);
    case PAGE_FIT_SEGREGATED:
        return find_segregated(length);
    case PAGE_FIT_BEST:
        break;
    }
    return find_best(length);
}
