/* tray.c - spans of a basin: cells of one size, or pieces of any size.
 *
 * Owns:       the map entries of BASIN spans, the bits and the links inside them.
 * Threads:    whoever holds the lock of the basin, or its one thread.
 * Locks:      takes none; page_heap.c below takes LOCK_PAGE_HEAP.
 * Invariants: TRAY-1  cells: those below `reached` are in use (bit set) or on `free`.
 *             TRAY-2  pieces: start bits divide the whole tray, used bits are among them.
 *             TRAY-3  two free pieces are never neighbours; each is in the bin of its length.
 *
 * No tags lie between pieces: the neighbours of a piece are found by the next and the last start
 * bit, so what a program writes behind its block destroys no length, and a block freed twice or at
 * a wrong address is known exactly.
 */
#include "pool/tray.h"

#include "pages/page_heap.h"
#include "core/slab.h"

#include <string.h>

#define LOOKS 16 // pieces of a bin compared for the shortest that fits

static size_t words_for(size_t bits)
{
    return (bits + 63) / 64;
}

static bool bit_get(const uint64_t *bits, size_t at)
{
    return ((bits[at / 64] >> (at % 64)) & 1) != 0;
}

static void bit_flip(uint64_t *bits, size_t at)
{
    bits[at / 64] ^= 1UL << (at % 64);
}

// ---- trays ----

struct tray *tray_of(const void *ptr)
{
    size_t index = page_map_find(ptr);
    struct chunk *head = chunk_head(page_map_entry(index));
    if (index == 0 || chunk_state(head) != CHUNK_BASIN ||
        index - page_map_index(head) >= head->length) { // a body of something that is gone
        return NULL;
    }
    return page_map_address(page_map_index(head));
}

size_t tray_bytes(const struct tray *tray)
{
    return (size_t)page_map_entry(page_map_find(tray))->length << CHUNK_SHIFT;
}

// Units of a span of `chunks` chunks: each takes `map_bits` bits besides.
static size_t units_of(size_t chunks, size_t unit_bytes, size_t map_bits)
{
    size_t room = (chunks << CHUNK_SHIFT) - sizeof(struct tray) - CACHE_LINE_BYTES * 2UL;
    return room * 8 / (unit_bytes * 8 + map_bits);
}

struct tray *tray_take(size_t unit_bytes, size_t least, size_t chunks, bool has_pieces)
{
    size_t maps = has_pieces ? 2 : 1;
    size_t units = max_size(units_of(chunks, unit_bytes, maps), least);
    size_t words = words_for(units);
    size_t head_bytes =
        align_up(sizeof(struct tray) + maps * words * sizeof(uint64_t), CACHE_LINE_BYTES);
    size_t length = (head_bytes + unit_bytes * units + CHUNK_BYTES - 1) >> CHUNK_SHIFT;
    bool clean;
    size_t index = length > UINT32_MAX ? 0 : page_heap_take(length, 1, &clean);
    if (index == 0) {
        return NULL;
    }
    struct chunk *head = page_map_entry(index);
    head->length = (uint32_t)length;
    page_map_mark_body(head, length);
    chunk_set_state(head, CHUNK_BASIN);
    struct tray *tray = page_map_address(index);
    tray->first = (char *)tray + head_bytes;
    tray->unit_bytes = unit_bytes;
    tray->units = (uint32_t)units;
    tray->has_pieces = has_pieces;
    tray->is_single = false;
    tray->start_bits = tray->used_bits + words;
    return tray;
}

void tray_give(struct tray *tray)
{
    size_t index = page_map_find(tray);
    struct chunk *head = page_map_entry(index);
    size_t length = head->length;
    head->head_distance = 0;
    head->usable_bytes = 0;
    chunk_set_state(head, CHUNK_BODY); // without a head, until span.c files it as free
    page_heap_give(index, length);
}

// ---- cells ----

void *cell_take(struct tray *tray)
{
    char *cell = tray->free;
    if (cell != NULL) {
        tray->free = *(void **)cell;
    } else {
        ASSERT(tray->reached < tray->units);
        cell = tray->first + tray->unit_bytes * tray->reached++;
    }
    bit_flip(tray->used_bits, (size_t)(cell - tray->first) / tray->unit_bytes);
    tray->used++;
    return cell;
}

enum tray_fault cell_give(struct tray *tray, void *ptr, size_t *bytes)
{
    size_t offset = (size_t)((char *)ptr - tray->first);
    size_t cell = offset / tray->unit_bytes;
    *bytes = tray->unit_bytes;
    if (cell >= tray->units) { // also before the first one
        return TRAY_FOREIGN;
    }
    if (!bit_get(tray->used_bits, cell)) {
        return TRAY_FREED;
    }
    if (offset % tray->unit_bytes != 0) {
        return TRAY_INTERIOR;
    }
    bit_flip(tray->used_bits, cell);
    *(void **)ptr = tray->free;
    tray->free = ptr; // TRAY-1
    tray->used--;
    return TRAY_OK;
}

// ---- pieces ----

static size_t bin_of(size_t units)
{
    if (units <= PIECE_BINS_EXACT) {
        return units - 1;
    }
    return PIECE_BINS_EXACT + log2_floor(units) - log2_floor(PIECE_BINS_EXACT);
}

static struct piece *piece_at(const struct tray *tray, size_t unit)
{
    return (struct piece *)(tray->first + unit * PIECE_UNIT_BYTES);
}

static void bin_insert(struct piece_bins *bins, struct piece *piece, size_t units)
{
    size_t bin = bin_of(units);
    ASSERT(bin < PIECE_BINS);
    piece->prev = NULL;
    piece->next = bins->heads[bin];
    if (piece->next != NULL) {
        piece->next->prev = piece;
    }
    if (bin >= PIECE_BINS_EXACT) {
        piece->units = units;
    }
    bins->heads[bin] = piece;
    bins->mask |= 1UL << (bin % 64);
}

static void bin_remove(struct piece_bins *bins, struct piece *piece, size_t units)
{
    size_t bin = bin_of(units);
    if (piece->next != NULL) {
        piece->next->prev = piece->prev;
    }
    if (piece->prev != NULL) {
        piece->prev->next = piece->next;
        return;
    }
    bins->heads[bin] = piece->next;
    if (piece->next == NULL) {
        bins->mask &= ~(1UL << (bin % 64));
    }
}

// The first start above `unit`, the end of the tray when there is none.
static size_t next_start(const struct tray *tray, size_t unit)
{
    size_t word = unit / 64;
    uint64_t bits = tray->start_bits[word] & (unit % 64 == 63 ? 0 : ~0UL << (unit % 64 + 1));
    while (bits == 0 && ++word < words_for(tray->units)) {
        bits = tray->start_bits[word];
    }
    return bits == 0 ? tray->units : word * 64 + (size_t)__builtin_ctzll(bits);
}

// The start of the piece that holds `unit`; unit 0 always is one (TRAY-2).
static size_t this_start(const struct tray *tray, size_t unit)
{
    size_t word = unit / 64;
    uint64_t bits = tray->start_bits[word] & (~0UL >> (63 - unit % 64));
    while (bits == 0) {
        bits = tray->start_bits[--word];
    }
    return word * 64 + 63U - (size_t)__builtin_clzll(bits);
}

// The shortest of the first pieces in a bin that fits, NULL when none of them does.
static struct piece *bin_fit(const struct piece_bins *bins, size_t bin, size_t units)
{
    struct piece *best = NULL;
    struct piece *piece = bins->heads[bin];
    for (int i = 0; i < LOOKS && piece != NULL; i++, piece = piece->next) {
        size_t length = piece_units(piece, bin);
        if (length >= units && (best == NULL || length < piece_units(best, bin))) {
            best = piece;
        }
    }
    return best;
}

void *piece_take(struct piece_bins *bins, size_t units, struct tray **from)
{
    size_t bin = bin_of(units);
    struct piece *piece = bin_fit(bins, bin, units);
    if (piece == NULL) {
        uint64_t longer = bins->mask & (~1UL << (bin % 64));
        if (longer == 0) {
            return NULL;
        }
        bin = (size_t)__builtin_ctzll(longer);
        piece = bin_fit(bins, bin, units); // all of them fit
    }
    struct tray *tray = tray_of(piece);
    *from = tray;
    size_t at = (size_t)((char *)piece - tray->first) / PIECE_UNIT_BYTES;
    size_t length = piece_units(piece, bin);
    bin_remove(bins, piece, length);
    if (length > units) {
        bit_flip(tray->start_bits, at + units);
        bin_insert(bins, piece_at(tray, at + units), length - units);
    }
    bit_flip(tray->used_bits, at);
    tray->used++;
    return piece;
}

enum tray_fault piece_give(struct piece_bins *bins, struct tray *tray, void *ptr, size_t *bytes)
{
    size_t offset = (size_t)((char *)ptr - tray->first);
    size_t at = offset / PIECE_UNIT_BYTES;
    *bytes = 0;
    if (at >= tray->units) {
        return TRAY_FOREIGN;
    }
    size_t start = this_start(tray, at);
    if (!bit_get(tray->used_bits, start)) {
        return TRAY_FREED;
    }
    size_t end = next_start(tray, start);
    *bytes = (end - start) * PIECE_UNIT_BYTES;
    if (start * PIECE_UNIT_BYTES != offset) {
        return TRAY_INTERIOR;
    }
    bit_flip(tray->used_bits, start);
    tray->used--;
    if (end < tray->units && !bit_get(tray->used_bits, end)) { // TRAY-3
        size_t behind = end;
        end = next_start(tray, behind);
        bin_remove(bins, piece_at(tray, behind), end - behind);
        bit_flip(tray->start_bits, behind);
    }
    size_t before = start == 0 ? 0 : this_start(tray, start - 1);
    if (!bit_get(tray->used_bits, before) && before != start) {
        bin_remove(bins, piece_at(tray, before), start - before);
        bit_flip(tray->start_bits, start);
        start = before;
    }
    bin_insert(bins, piece_at(tray, start), end - start);
    return TRAY_OK;
}

void piece_forget(struct piece_bins *bins, struct tray *tray)
{
    ASSERT(tray->used == 0);
    bin_remove(bins, piece_at(tray, 0), tray->units);
}

void tray_reset(struct tray *tray, struct piece_bins *bins)
{
    size_t words = words_for(tray->units);
    tray->free = NULL;
    tray->reached = 0;
    tray->used = 0;
    memset(tray->used_bits, 0, words * sizeof(uint64_t));
    if (tray->has_pieces) {
        memset(tray->start_bits, 0, words * sizeof(uint64_t));
        bit_flip(tray->start_bits, 0); // TRAY-2
        bin_insert(bins, piece_at(tray, 0), tray->units);
    }
}
