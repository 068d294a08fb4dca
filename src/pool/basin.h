/* basin.h - a pool of include/myalloc.h; `pool` is taken by the slabs without an owner. Any
 * thread, when the basin is shared; else one at a time. */
#ifndef POOL_BASIN_H
#define POOL_BASIN_H

#include "base/lock.h"
#include "pool/tray.h"
#include "myalloc.h"

#include <stdbool.h>
#include <stddef.h>

struct basin {
    struct lock lock;
    bool is_shared;         // [const] while it lives; false: nobody takes the lock
    _Atomic(bool) is_alive; // [atomic] not destroyed
    size_t cell_bytes;      // [const] while it lives: of each block; 0: any size
    struct links trays;     // [lock: LOCK_BASIN] this and the rest: all, those with room first
    size_t empties;         // trays without a block in use
    size_t held_bytes;      // of all trays
    size_t used_bytes, used_bytes_max;
    struct piece_bins bins;
    struct basin *next;        // [const] all basins ever made
    struct basin *next_unused; // [lock: LOCK_BASINS]
};

// A basin without memory; NULL when there is none for itself.
struct basin *basin_create(size_t cell_bytes, bool is_shared);
// All its memory goes back; basin.c keeps the structure for the next one.
void basin_destroy(struct basin *basin);

// A block of at least `bytes`, at most those of a cell; NULL: no tray has room for it.
void *basin_take(struct basin *basin, size_t bytes);
// The same from a new tray; NULL without memory.
void *basin_take_anew(struct basin *basin, size_t bytes);
// Frees the block at `ptr`, or tells what stands there. *bytes: of the block that begins there or
// holds it, 0 when that is not known. *idle: a tray that is the basin's no more, for tray_give.
enum tray_fault basin_give(struct basin *basin, void *ptr, size_t *bytes, struct tray **idle);
// Frees all blocks; the trays stay, but for those of single blocks.
void basin_reset(struct basin *basin);

void basin_stats(struct basin *basin, struct myalloc_pool_stats *stats);

void basin_prefork(void);
void basin_postfork_parent(void);
void basin_postfork_child(void);

#endif
