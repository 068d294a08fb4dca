/* depot.h - the shared part of a size class: magazines that are in no slot, backed by slabs.
 *
 * Any thread, inside a slow path. Each class has a lock of its own, held for a handful of stores,
 * except while magazines are drained to their slabs: that takes time per block.
 */
#ifndef CORE_DEPOT_H
#define CORE_DEPOT_H

#include "base/lock.h"
#include "core/list.h"
#include "core/slot_data.h"
#include "pages/page_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct depot_fetched {
    list_word list;     // from a magazine, a slab, or a fresh slab; empty if out of memory
    bool is_clean;      // a single block, zero except for its link
    size_t fresh_bytes; // size of that slab, if it was not resident
};
struct depot_fetched depot_fetch(unsigned sc);

// Returns a list, which may be empty, to the depot. Dies if a link found on the way is not sound.
void depot_return(unsigned sc, list_word list);

// Frees a block of a slab that existed before a fork; see inherited.h.
void depot_mark(struct chunk *slab, void *block);

// The current magazine size of the class in blocks: what fits into 16 KiB, at most 256; fewer while
// the class shrinks, since each block may pin a slab; 0: free blocks go straight to their slabs.
unsigned depot_magazine_blocks(unsigned sc); // see magazine.h for the most

// Drains the magazines that no depot_fetch() needed since the last sweep.
void depot_sweep(unsigned sc);

// Sets the number of slots. Since slots belong to CPUs, a thread may leave blocks behind in each:
// all slots together are limited to a sixteenth of the blocks out, plus a few per slot.
void depot_set_slots(size_t slots);

// Takes all magazines from a slot that nobody uses.
void depot_drain_slot(struct slot *slot);

// Drains all magazines to their slabs; a class of few slabs then keeps nothing until it grows. If
// `purges`, also purges single free pages of slabs. Returns the bytes purged so. For malloc_trim,
// after a fall, and when memory is short.
size_t depot_trim(bool purges);

// Purges single free pages of a slab of class `sc` that has at most `out_max` blocks out, and fewer
// than at the last attempt. Returns the bytes purged; 0 also if it is no longer such a slab.
size_t depot_purge_slab(struct chunk *slab, unsigned sc, unsigned out_max);

void depot_each_lock(lock_visitor *visit); // for a fork

#endif
