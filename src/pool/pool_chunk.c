/* pool_chunk.c - chunks of a pool: cells of one size, or pieces of any size.
 *
 * Owns:       the map entries of pool chunks, the bits and the links inside them.
 * Threads:    the holder of the pool's lock, or the pool's only thread.
 * Locks:      takes none; page_heap.c below takes LOCK_PAGE_HEAP.
 * Invariants: POOL_CHUNK-1  cells: those below `reached` are in use (bit set) or on `free`.
 *             POOL_CHUNK-2  pieces: start bits divide the whole chunk, used bits are among them.
 *             POOL_CHUNK-3  two free pieces are never neighbours; each is in the bin of its length.
 *
 * There are no headers between pieces: the neighbours of a piece are found by the next and the
 * previous start bit, so an overflow of a block destroys no metadata, and a double free or a free
 * of a wrong address is always detected.
 */
#include "pool/pool_chunk.h"

#include "base/check.h"

#include "pages/page_heap.h"
#include "core/slab.h"

#include <string.h>

// Pieces of a bin compared for the shortest that fits: a bound, since bins grow with the pool. Of a
// bin whose first pieces are all too short the rest is skipped; it is at most an eighth longer.
#define LOOKS       16
#define STEPS_SHIFT 3 // log2 of the bins per doubling

static_assert(PIECE_BINS == PIECE_BINS_EXACT + (11 << STEPS_SHIFT) &&
                  POOL_CHUNK_LENGTH_MAX * CHUNK_BYTES <= (PIECE_UNIT_BYTES * PIECE_BINS_EXACT)
                                                             << 11,
              "a whole chunk has a bin");

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

// ---- chunks ----

struct pool_chunk *pool_chunk_of(const void *ptr)
{
    size_t index = page_map_find(ptr);
    struct chunk *head = chunk_head(page_map_entry(index));
    if (index == 0 || chunk_state(head) != CHUNK_POOL ||
        index - page_map_index(head) >= head->length) { // a body whose head was freed
        return NULL;
    }
    return page_map_address(page_map_index(head));
}

size_t pool_chunk_bytes(const struct pool_chunk *chunk)
{
    ASSERT(pool_chunk_of(chunk) == chunk);
    return (size_t)page_map_entry(page_map_find(chunk))->length << CHUNK_SHIFT;
}

// Units of a span of `chunks` chunks; each unit also takes `map_bits` bits.
static size_t units_of(size_t chunks, size_t unit_bytes, size_t map_bits)
{
    ASSERT(chunks != 0);
    ASSERT(unit_bytes % PIECE_UNIT_BYTES == 0);
    size_t room = (chunks << CHUNK_SHIFT) - sizeof(struct pool_chunk) - CACHE_LINE_BYTES * 2UL;
    return room * 8 / (unit_bytes * 8 + map_bits);
}

struct pool_chunk *pool_chunk_allocate(size_t unit_bytes, size_t least, size_t wished,
                                       bool has_pieces, size_t alignment)
{
    ASSERT(least != 0);
    ASSERT(is_pow2(alignment));
    ASSERT(!has_pieces || unit_bytes == PIECE_UNIT_BYTES);
    size_t maps = has_pieces ? 2 : 1;
    size_t units = wished == 0 ? least : max_size(units_of(wished, unit_bytes, maps), least);
    size_t words = words_for(units);
    alignment = max_size(alignment, CACHE_LINE_BYTES);
    size_t head_bytes = align_up(sizeof(struct pool_chunk) + maps * words * sizeof(uint64_t),
                                 min_size(alignment, CHUNK_BYTES));
    // A span begins at a multiple of CHUNK_BYTES; a larger alignment may need this much more.
    size_t lead = max_size(alignment, CHUNK_BYTES) - CHUNK_BYTES;
    size_t length = (head_bytes + lead + unit_bytes * units + CHUNK_BYTES - 1) >> CHUNK_SHIFT;
    bool clean;
    size_t index = length > UINT32_MAX ? 0 : page_heap_allocate(length, 1, &clean);
    if (index == 0) {
        return NULL;
    }
    struct chunk *head = page_map_entry(index);
    RELAXED_STORE(head->length, (uint32_t)length);
    page_map_mark_body(head, length);
    chunk_set_state(head, CHUNK_POOL);
    struct pool_chunk *chunk = page_map_address(index);
    size_t first = align_up((uintptr_t)chunk + head_bytes, alignment);
    chunk->first = (char *)chunk + (first - (uintptr_t)chunk);
    chunk->unit_bytes = unit_bytes;
    chunk->units = (uint32_t)units;
    chunk->has_pieces = has_pieces;
    chunk->is_single = false;
    chunk->start_bits = chunk->used_bits + words;
    ASSERT(chunk->first + unit_bytes * units <= (char *)chunk + (length << CHUNK_SHIFT));
    return chunk;
}

void pool_chunk_free(struct pool_chunk *chunk)
{
    ASSERT(pool_chunk_of(chunk) == chunk);
    size_t index = page_map_find(chunk);
    struct chunk *head = page_map_entry(index);
    size_t length = head->length;
    RELAXED_STORE(head->head_distance, 0);
    RELAXED_STORE(head->usable_bytes, 0);
    chunk_set_state(head, CHUNK_BODY); // without a head, until span.c lists it as free
    page_heap_free(index, length);
}

// ---- cells ----

void *cell_allocate(struct pool_chunk *chunk)
{
    ASSERT(!chunk->has_pieces);
    ASSERT(chunk->used < chunk->units);
    char *cell = chunk->free;
    if (cell != NULL) {
        chunk->free = *(void **)cell;
    } else {
        ASSERT(chunk->reached < chunk->units);
        cell = chunk->first + chunk->unit_bytes * chunk->reached++;
    }
    bit_flip(chunk->used_bits, (size_t)(cell - chunk->first) / chunk->unit_bytes);
    chunk->used++;
    ASSERT(chunk->used <= chunk->reached); // POOL_CHUNK-1
    return cell;
}

enum pool_fault cell_free(struct pool_chunk *chunk, void *ptr, size_t *bytes)
{
    ASSERT(!chunk->has_pieces);
    ASSERT(pool_chunk_of(ptr) == chunk);
    size_t offset = (size_t)((char *)ptr - chunk->first);
    size_t cell = offset / chunk->unit_bytes;
    *bytes = chunk->unit_bytes;
    if (cell >= chunk->units) { // also before the first one
        return POOL_FOREIGN;
    }
    if (!bit_get(chunk->used_bits, cell)) {
        return POOL_FREED;
    }
    if (offset % chunk->unit_bytes != 0) {
        return POOL_INTERIOR;
    }
    bit_flip(chunk->used_bits, cell);
    *(void **)ptr = chunk->free;
    chunk->free = ptr; // POOL_CHUNK-1
    chunk->used--;
    ASSERT(chunk->used < chunk->reached); // POOL_CHUNK-1
    return POOL_OK;
}

// ---- pieces ----

static size_t bin_of(size_t units)
{
    ASSERT(units != 0);
    if (units <= PIECE_BINS_EXACT) {
        return units - 1;
    }
    size_t shift = log2_floor(units);
    size_t step = (units >> (shift - STEPS_SHIFT)) & ((1U << STEPS_SHIFT) - 1);
    return PIECE_BINS_EXACT + ((shift - log2_floor(PIECE_BINS_EXACT)) << STEPS_SHIFT) + step;
}

static struct piece *piece_at(const struct pool_chunk *chunk, size_t unit)
{
    ASSERT(unit < chunk->units);
    return (struct piece *)(chunk->first + unit * PIECE_UNIT_BYTES);
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
    bins->mask[bin / 64] |= 1UL << (bin % 64);
}

static void bin_remove(struct piece_bins *bins, struct piece *piece, size_t units)
{
    size_t bin = bin_of(units);
    ASSERT(piece->prev != NULL || bins->heads[bin] == piece); // POOL_CHUNK-3
    if (piece->next != NULL) {
        piece->next->prev = piece->prev;
    }
    if (piece->prev != NULL) {
        piece->prev->next = piece->next;
        return;
    }
    bins->heads[bin] = piece->next;
    if (piece->next == NULL) {
        bins->mask[bin / 64] &= ~(1UL << (bin % 64));
    }
}

// The first start above `unit`, or the end of the chunk.
static size_t next_start(const struct pool_chunk *chunk, size_t unit)
{
    ASSERT(unit < chunk->units);
    size_t word = unit / 64;
    uint64_t bits = chunk->start_bits[word] & (unit % 64 == 63 ? 0 : ~0UL << (unit % 64 + 1));
    while (bits == 0 && ++word < words_for(chunk->units)) {
        bits = chunk->start_bits[word];
    }
    return bits == 0 ? chunk->units : word * 64 + (size_t)__builtin_ctzll(bits);
}

// The start of the piece that holds `unit`; unit 0 is always a start (POOL_CHUNK-2).
static size_t this_start(const struct pool_chunk *chunk, size_t unit)
{
    ASSERT(unit < chunk->units);
    ASSERT(bit_get(chunk->start_bits, 0)); // POOL_CHUNK-2
    size_t word = unit / 64;
    uint64_t bits = chunk->start_bits[word] & (~0UL >> (63 - unit % 64));
    while (bits == 0) {
        bits = chunk->start_bits[--word];
    }
    return word * 64 + 63U - (size_t)__builtin_clzll(bits);
}

// Units of a piece before the first multiple of `alignment` in it.
static size_t lead_of(const struct piece *piece, size_t alignment)
{
    ASSERT(is_pow2(alignment));
    return (align_up((uintptr_t)piece, alignment) - (uintptr_t)piece) / PIECE_UNIT_BYTES;
}

// The shortest fitting piece among the first ones of a bin, NULL when none fits.
static struct piece *bin_fit(const struct piece_bins *bins, size_t bin, size_t units,
                             size_t alignment)
{
    ASSERT(bin < PIECE_BINS);
    struct piece *best = NULL;
    struct piece *piece = bins->heads[bin];
    for (int i = 0; i < LOOKS && piece != NULL; i++, piece = piece->next) {
        size_t length = piece_units(piece, bin);
        if (length >= units + lead_of(piece, alignment) &&
            (best == NULL || length < piece_units(best, bin))) {
            best = piece;
        }
    }
    return best;
}

// The first bin above `bin` that is not empty; PIECE_BINS when there is none.
static size_t bin_above(const struct piece_bins *bins, size_t bin)
{
    ASSERT(bin < PIECE_BINS);
    size_t word = bin / 64;
    uint64_t bits = bins->mask[word] & (bin % 64 == 63 ? 0 : ~1UL << (bin % 64));
    while (bits == 0 && ++word < sizeof bins->mask / sizeof bins->mask[0]) {
        bits = bins->mask[word];
    }
    return bits == 0 ? PIECE_BINS : word * 64 + (size_t)__builtin_ctzll(bits);
}

void *piece_allocate(struct piece_bins *bins, size_t units, size_t alignment,
                     struct pool_chunk **from)
{
    size_t bin = bin_of(units);
    struct piece *piece = bin_fit(bins, bin, units, alignment);
    while (piece == NULL) { // in larger bins most pieces fit; without an alignment, all do
        bin = bin_above(bins, bin);
        if (bin == PIECE_BINS) {
            return NULL;
        }
        piece = bin_fit(bins, bin, units, alignment);
    }
    struct pool_chunk *chunk = pool_chunk_of(piece);
    ASSERT(chunk != NULL);
    ASSERT(chunk->has_pieces);
    *from = chunk;
    size_t at = (size_t)((char *)piece - chunk->first) / PIECE_UNIT_BYTES;
    size_t length = piece_units(piece, bin);
    size_t lead = lead_of(piece, alignment);
    ASSERT(length >= lead + units);
    ASSERT(!bit_get(chunk->used_bits, at)); // POOL_CHUNK-3
    bin_remove(bins, piece, length);
    if (lead != 0) {
        bit_flip(chunk->start_bits, at + lead);
        bin_insert(bins, piece, lead);
    }
    at += lead;
    length -= lead;
    if (length > units) {
        bit_flip(chunk->start_bits, at + units);
        bin_insert(bins, piece_at(chunk, at + units), length - units);
    }
    bit_flip(chunk->used_bits, at);
    chunk->used++;
    return piece_at(chunk, at);
}

enum pool_fault piece_free(struct piece_bins *bins, struct pool_chunk *chunk, void *ptr,
                           size_t *bytes)
{
    ASSERT(chunk->has_pieces);
    ASSERT(pool_chunk_of(ptr) == chunk);
    size_t offset = (size_t)((char *)ptr - chunk->first);
    size_t at = offset / PIECE_UNIT_BYTES;
    *bytes = 0;
    if (at >= chunk->units) {
        return POOL_FOREIGN;
    }
    size_t start = this_start(chunk, at);
    if (!bit_get(chunk->used_bits, start)) {
        return POOL_FREED;
    }
    size_t end = next_start(chunk, start);
    *bytes = (end - start) * PIECE_UNIT_BYTES;
    if (start * PIECE_UNIT_BYTES != offset) {
        return POOL_INTERIOR;
    }
    bit_flip(chunk->used_bits, start);
    chunk->used--;
    if (end < chunk->units && !bit_get(chunk->used_bits, end)) { // POOL_CHUNK-3
        size_t behind = end;
        end = next_start(chunk, behind);
        bin_remove(bins, piece_at(chunk, behind), end - behind);
        bit_flip(chunk->start_bits, behind);
    }
    size_t before = start == 0 ? 0 : this_start(chunk, start - 1);
    if (!bit_get(chunk->used_bits, before) && before != start) {
        bin_remove(bins, piece_at(chunk, before), start - before);
        bit_flip(chunk->start_bits, start);
        start = before;
    }
    ASSERT(bit_get(chunk->start_bits, start)); // POOL_CHUNK-2
    bin_insert(bins, piece_at(chunk, start), end - start);
    return POOL_OK;
}

void piece_forget(struct piece_bins *bins, struct pool_chunk *chunk)
{
    ASSERT(chunk->used == 0);
    bin_remove(bins, piece_at(chunk, 0), chunk->units);
}

void pool_chunk_reset(struct pool_chunk *chunk, struct piece_bins *bins)
{
    ASSERT(chunk->units != 0);
    size_t words = words_for(chunk->units);
    chunk->free = NULL;
    chunk->reached = 0;
    chunk->used = 0;
    memset(chunk->used_bits, 0, words * sizeof(uint64_t));
    if (chunk->has_pieces) {
        memset(chunk->start_bits, 0, words * sizeof(uint64_t));
        bit_flip(chunk->start_bits, 0); // POOL_CHUNK-2
        bin_insert(bins, piece_at(chunk, 0), chunk->units);
    }
}
