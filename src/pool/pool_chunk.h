/* pool_chunk.h - a span that a pool of include/myalloc.h cuts into blocks. Under the lock of the
 * pool, if it has one. In src/pool `chunk` alone means a pool chunk.
 *
 * The metadata of a chunk is at its start, at most two bits per 16 bytes; nothing lies between the
 * blocks, and a free block holds links and nothing else.
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
#define POOL_CHUNK_LENGTH_MAX 64 // longer only if a cell needs it
#define CELL_ALIGN_BYTES_MAX  4096UL

struct pool;

// A circular list that begins and ends with the pool's own links.
struct links {
    struct links *prev, *next;
};

struct pool_chunk {
    struct links links;
    struct pool *pool;    // its owner
    char *first;          // [const] first block
    size_t unit_bytes;    // [const] of a cell, or PIECE_UNIT_BYTES
    uint32_t units;       // [const]
    uint32_t reached;     // cells from here on were never handed out
    uint32_t used;        // blocks in use
    bool has_pieces;      // [const] blocks of any size; else cells
    bool is_single;       // [const] one cell, for one block that is too long for pieces
    void *free;           // freed cells, linked
    uint64_t *start_bits; // [const] pieces: one begins here, in use or free
    uint64_t used_bits[]; // a block in use begins here
};

// A free piece: links of its bin and, in bins of several lengths, its length.
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
    POOL_FOREIGN,  // outside of the blocks
};

// The chunk of any pool that holds `ptr`, else NULL; does not dereference it.
struct pool_chunk *pool_chunk_of(const void *ptr);
size_t pool_chunk_bytes(const struct pool_chunk *chunk);

// The alignment of cells of this length: the largest power of two that divides it, up to a bound.
static inline size_t cell_alignment(size_t cell_bytes)
{
    return min_size(cell_bytes & (~cell_bytes + 1), CELL_ALIGN_BYTES_MAX);
}

// Allocates a pool chunk of about `wished` chunks of the region, more if `least` units need them;
// 0: for just these. NULL when out of memory. `first` is at a multiple of `alignment`. Must be
// reset before its first use. Needs no lock.
struct pool_chunk *pool_chunk_allocate(size_t unit_bytes, size_t least, size_t wished,
                                       bool has_pieces, size_t alignment);
// Returns its span to the page heap, whatever is in it; the pieces have left their bins. Needs no
// lock.
void pool_chunk_free(struct pool_chunk *chunk);

// Frees all of it; the bins were emptied before.
void pool_chunk_reset(struct pool_chunk *chunk, struct piece_bins *bins);

void *cell_allocate(struct pool_chunk *chunk); // it has room
// POOL_OK: the block at `ptr` is now free. *bytes: size of the block that begins there or holds it.
enum pool_fault cell_free(struct pool_chunk *chunk, void *ptr, size_t *bytes);

// Allocates `units` at a multiple of `alignment` from any chunk, stored in *chunk; NULL: no piece
// is long enough.
void *piece_allocate(struct piece_bins *bins, size_t units, size_t alignment,
                     struct pool_chunk **chunk);
enum pool_fault piece_free(struct piece_bins *bins, struct pool_chunk *chunk, void *ptr,
                           size_t *bytes);
// Removes the only piece of an empty chunk from its bin.
void piece_forget(struct piece_bins *bins, struct pool_chunk *chunk);
// The length of a free piece in this bin.
static inline size_t piece_units(const struct piece *piece, size_t bin)
{
    ASSERT(bin < PIECE_BINS);
    return bin < PIECE_BINS_EXACT ? bin + 1 : piece->units;
}

#endif
