/* tray.h - a span of chunks that a pool of include/myalloc.h (here: a basin) cuts into blocks.
 * Under the lock of the basin, where it has one.
 *
 * What a tray knows of its blocks stands at its start, two bits for 16 bytes at most; nothing lies
 * between the blocks, and a free block holds links and nothing else.
 */
#ifndef POOL_TRAY_H
#define POOL_TRAY_H

#include "pages/page_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIECE_UNIT_BYTES 16UL // pieces are multiples of it, and begin at multiples of it
#define PIECE_BINS_EXACT 32   // one for each length in units, then one for each doubling
#define PIECE_BINS       44
#define TRAY_CHUNKS      8  // of the first tray
#define TRAY_CHUNKS_MAX  64 // more only for cells that need it

struct basin;

// In a circle that begins and ends with the basin's own.
struct links {
    struct links *prev, *next;
};

struct tray {
    struct links links;
    struct basin *basin;  // whose it is
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

// The free pieces of all trays of a basin.
struct piece_bins {
    uint64_t mask; // bit set: bin not empty
    struct piece *heads[PIECE_BINS];
};

enum tray_fault {
    TRAY_OK,
    TRAY_FREED,    // no block in use holds this address
    TRAY_INTERIOR, // one does, but begins elsewhere
    TRAY_FOREIGN,  // no memory of a block
};

// The tray of any basin that holds `ptr`, else NULL: never dereferences it.
struct tray *tray_of(const void *ptr);
size_t tray_bytes(const struct tray *tray);

// A tray of about `chunks` chunks, more where `least` units need them; NULL without memory. To
// be reset before its first use. Needs no lock.
struct tray *tray_take(size_t unit_bytes, size_t least, size_t chunks, bool has_pieces);
// Its span goes back to the page heap, whatever is in it; pieces are out of their bins already.
// Likewise.
void tray_give(struct tray *tray);

// All of it free, as at first; bins were emptied before.
void tray_reset(struct tray *tray, struct piece_bins *bins);

void *cell_take(struct tray *tray); // it has room
// TRAY_OK: the block at `ptr` is free now. *bytes: of the block that begins there or holds it.
enum tray_fault cell_give(struct tray *tray, void *ptr, size_t *bytes);

// A block of `units` from *tray, which is any; NULL: no piece is long enough.
void *piece_take(struct piece_bins *bins, size_t units, struct tray **tray);
enum tray_fault piece_give(struct piece_bins *bins, struct tray *tray, void *ptr, size_t *bytes);
// Takes the one piece of an empty tray out of its bin.
void piece_forget(struct piece_bins *bins, struct tray *tray);
// Of a free piece in this bin.
static inline size_t piece_units(const struct piece *piece, size_t bin)
{
    return bin < PIECE_BINS_EXACT ? bin + 1 : piece->units;
}

#endif
