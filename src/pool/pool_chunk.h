/* pool_chunk.h - a span that a pool of include/myalloc.h cuts into blocks. Under the lock of
 * the pool, where it has one. In src/pool `chunk` alone means a pool chunk.
 *
 * What a chunk knows of its blocks stands at its start, two bits for 16 bytes at most; nothing lies
 * between the blocks, and a free block holds links and nothing else.
 */
#ifndef POOL_POOL_CHUNK_H
#define POOL_POOL_CHUNK_H

#include "base/check.h"
#include "pages/page_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIECE_UNIT_BYTES      16UL // pieces are multiples of it, and begin at multiples of it
#define PIECE_BINS_EXACT      32   // one for each length in units, then eight for each doubling
#define PIECE_BINS            120
#define POOL_CHUNK_LENGTH     8  // of the first one, in chunks of the region
#define POOL_CHUNK_LENGTH_MAX 64 // more only for cells that need it
#define CELL_ALIGN_BYTES_MAX  4096UL

struct pool;

// In a circle that begins and ends with the pool's own.
struct links {
    struct links *prev, *next;
};

struct pool_chunk {
    struct links links;
    struct pool *pool;    // whose it is
    char *first;          // [const] first block
    size_t unit_bytes;    // [const] cells: of a block; else PIECE_UNIT_BYTES
    uint32_t units;       // [const]
    uint32_t reached;     // cells from here on were never given out
    uint32_t used;        // blocks in use
    bool has_pieces;      // [const] blocks of any size; else cells
    bool is_single;       // [const] one cell, for one block that is too long for pieces
    void *free;           // cells that came back, linked
    uint64_t *start_bits; // [const] pieces: one begins here, in use or free
    uint64_t used_bits[]; // a block in use begins here
};

// A free piece: links of its bin, and, beyond the bins of one length, its length.
struct piece {
    struct piece *next, *prev;
    size_t units;
};

// The free pieces of all chunks of a pool.
struct piece_bins {
    uint64_t mask[(PIECE_BINS + 63) / 64]; // bit set: bin not empty
    struct piece *heads[PIECE_BINS];
};

enum pool_fault {
    POOL_OK,
    POOL_FREED,    // no block in use holds this address
    POOL_INTERIOR, // one does, but begins elsewhere
    POOL_FOREIGN,  // no memory of a block
};

// The chunk of any pool that holds `ptr`, else NULL: never dereferences it.
struct pool_chunk *pool_chunk_of(const void *ptr);
size_t pool_chunk_bytes(const struct pool_chunk *chunk);

// What cells of this length begin at multiples of: the power of two in it, to a bound.
static inline size_t cell_alignment(size_t cell_bytes)
{
    return min_size(cell_bytes & (~cell_bytes + 1), CELL_ALIGN_BYTES_MAX);
}

// A pool chunk of about `wished` chunks of the region, more where `least` units need them, 0: of
// just these; NULL without memory. `first` is at a multiple of `alignment`. To be reset before its
// first use. Needs no lock.
struct pool_chunk *pool_chunk_allocate(size_t unit_bytes, size_t least, size_t wished,
                                       bool has_pieces, size_t alignment);
// Its span goes back to the page heap, whatever is in it; pieces are out of their bins already.
// Likewise.
void pool_chunk_free(struct pool_chunk *chunk);

// All of it free, as at first; bins were emptied before.
void pool_chunk_reset(struct pool_chunk *chunk, struct piece_bins *bins);

void *cell_allocate(struct pool_chunk *chunk); // it has room
// POOL_OK: the block at `ptr` is free now. *bytes: of the block that begins there or holds it.
enum pool_fault cell_free(struct pool_chunk *chunk, void *ptr, size_t *bytes);

// A block of `units` at a multiple of `alignment` from *chunk, which is any; NULL: no piece is long
// enough.
void *piece_allocate(struct piece_bins *bins, size_t units, size_t alignment,
                     struct pool_chunk **chunk);
enum pool_fault piece_free(struct piece_bins *bins, struct pool_chunk *chunk, void *ptr,
                           size_t *bytes);
// Takes the one piece of an empty chunk out of its bin.
void piece_forget(struct piece_bins *bins, struct pool_chunk *chunk);
// Of a free piece in this bin.
static inline size_t piece_units(const struct piece *piece, size_t bin)
{
    ASSERT(bin < PIECE_BINS);
    return bin < PIECE_BINS_EXACT ? bin + 1 : piece->units;
}

#endif
