/* depot.h - what of a size class lies in no slot: magazines, and behind them the slabs.
 *
 * Any thread, inside of a slow path. Each class has a lock of its own, which is held for a handful
 * of stores, but for what sends magazines home: that takes a time for each of their blocks.
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
    list_word list;     // of a magazine, a slab, or fresh; empty without memory
    bool is_clean;      // it is one block, and zero but for its link
    bool is_fresh;      // a slab was made for it
    size_t fresh_bytes; // of memory for that, which was not resident
};
struct depot_fetched depot_fetch(unsigned sc);

// Takes a list back, which may be empty. Dies of what is not sound. True: slabs went to the page
// heap.
bool depot_return(unsigned sc, list_word list);

// Frees a block of a slab that was there before a fork, see inherited.h.
void depot_mark(struct chunk *slab, void *block);

// How many blocks a magazine of the class is to have now: all that fit into 16 KiB, at most 256;
// less while the class shrinks, since each may keep a slab from the page heap; 0: every free block
// is to go home.
unsigned depot_magazine_blocks(unsigned sc); // see magazine.h for the most

// Sends home what no depot_fetch() needed since the last time.
void depot_sweep(unsigned sc);

// There are so many slots, and a thread may leave blocks behind in each, since they are those of
// CPUs: all of them together hold a sixteenth of the blocks out at most, but for a few of each.
void depot_set_slots(size_t slots);

// Takes all that lies in a slot that nobody uses.
void depot_drain_slot(struct slot *slot);

// Sends all magazines home; single free pages of slabs go back as well when `purges`. Bytes of
// pages given back. For malloc_trim, and when memory is short.
size_t depot_trim(bool purges);

// Purges single free pages of a slab of the class `sc` with at most `out_max` blocks out, fewer
// than when it was last looked at. Bytes given back; 0 also when it is no such slab any more.
size_t depot_purge_slab(struct chunk *slab, unsigned sc, unsigned out_max);

// True when the block is known to be free: it stands in its slab, or among the first `most` of a
// magazine here.
bool depot_holds(unsigned sc, const void *block, unsigned most);

struct depot_counts {
    size_t slabs;
    size_t magazine_blocks; // in magazines here
};
struct depot_counts depot_counts(unsigned sc);
// The magazines of a class as they are now, at most `most`; how many. For looks: may be torn.
unsigned depot_look(unsigned sc, list_word *lists, unsigned most);
#define DEPOT_MAGAZINES 64U

// Walks all slabs and verifies every invariant; dies otherwise. Nobody else may work.
void depot_check(void);

void depot_each_lock(lock_visitor *visit); // for a fork

#endif
