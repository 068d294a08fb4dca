/* depot_look.h - what is in the depots; any thread, inside a slow path. */
#ifndef CORE_DEPOT_LOOK_H
#define CORE_DEPOT_LOOK_H

#include "core/depot_data.h"
#include "core/list.h"

#include <stdbool.h>
#include <stddef.h>

// True if the block is known to be free: it is among the first `most` of its slab's free list or of
// a magazine here.
bool depot_holds(unsigned sc, const void *block, unsigned most);

struct depot_counts {
    size_t slabs;
    size_t magazine_blocks; // in magazines here
};
struct depot_counts depot_counts(unsigned sc);
// Bytes of all blocks in use or in slots. Without the locks: of no single moment.
size_t depot_out_bytes(void);
// Copies up to `most` magazines of a class; returns how many. For inspection, without the lock: the
// result may be torn.
unsigned depot_look(unsigned sc, list_word *lists, unsigned most);

// Walks all slabs and verifies every invariant; dies if one fails. No other thread may allocate or
// free meanwhile.
void depot_check(void);

#endif
