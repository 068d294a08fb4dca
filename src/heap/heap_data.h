/* heap_data.h - struct heap: what one thread has. The modules of this floor share it; each field
 * names the module that owns it. Heaps are type-stable: their memory is never given back. */
#ifndef HEAP_HEAP_DATA_H
#define HEAP_HEAP_DATA_H

#include "base/lock.h"
#include "pages/page_map.h"
#include "trace/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Blocks of other threads' slabs, at hand for this thread's next refill (heap.c).
struct foreign_list {
    void *head;
    uint32_t count; // blocks
};

// More than any bin holds: it is a ring.
#define BIN_BLOCKS_MAX (1U << 16)

// `busy`: inside of a slow path; and, with guard:N, always BUSY_SAMPLED, so that the usual slow
// paths are left for those that count.
#define BUSY_INSIDE  1
#define BUSY_SAMPLED 2

struct ALIGNED(64) heap {
    int32_t room[SMALL_CLASSES]; // [owner] bin.c: for blocks that free puts into bins; it counts
                                 // down. First, since gcc adds a greater offset by itself
    void **bins;                 // [owner] thread.c: the free lists at hand, one per small class
    uint8_t busy;                // [owner] thread.c: see below; signal handlers look
    bool is_checked;        // [owner] thread.c: bins are checked_bins, hidden from the fast path
    uint8_t watched_slabs;  // [owner] watch.c: slabs opened while it looked at the lists
    bool leaves_slowly;     // [owner] thread.c: borrowed by a dead thread for one call, or sampled
    bool carves_one;        // [owner] young.c: a refill is to fill no bin
    uint8_t borrowed;       // [owner] young.c: blocks taken from larger classes
    bool is_inherited;      // [const] while the child of a fork has threads; orphan.c changes it
    uint32_t empties;       // [owner] settle.c: slabs kept though empty
    uint32_t had_many;      // [owner] settle.c: bit c set: class c had many slabs not long ago
    uint32_t refills;       // [owner] heap.c: so far, for the clock
    uint32_t thin_next;     // [owner] thin.c: the map entry it looked at last
    const void *caller;     // [owner] thread.c: who called the slow path, for messages
    int64_t sample_left;    // [owner] sampled.c: blocks until the next one that is sampled
    uint64_t sample_random; // [owner] sampled.c
    uint32_t sample_next;   // [owner] sampled.c: bit c set: the next block of class c is it
    bool is_borrowed;       // [owner] thread.c: by a dead thread, for the time of one call
    struct harden *harden;  // [owner] harden.c: NULL, or what it has at hand in hardened mode

    uint8_t quota[SMALL_CLASSES];               // [owner] bin.c: what the room was, at first
    uint8_t wakes[SMALL_CLASSES];               // [owner] settle.c: slabs woken since the refill
    struct chunk *active[SMALL_CLASSES];        // [owner] heap.c: slab that each bin comes from
    struct foreign_list foreign[SMALL_CLASSES]; // [owner] heap.c
    uint32_t partial[SMALL_CLASSES];            // [owner] heap.c: first of each list; 0 none
    uint32_t opened[SMALL_CLASSES];             // [owner] settle.c: slabs got less slabs given away
    uint32_t empty[SMALL_CLASSES];              // [owner] settle.c: the empty slab kept; 0 none
    uint8_t watched[SMALL_CLASSES];             // [owner] watch.c: frees looked at so far
    uint64_t handed[SMALL_CLASSES];             // [owner] bin.c: blocks put into bins so far
    uint32_t retired[SMALL_CLASSES];            // [owner] heap.c: slabs used up so far

    void *checked_bins[SMALL_CLASSES]; // [owner] thread.c
    uint32_t ticks;                    // [owner] view.c: refills
    _Atomic(uint32_t) thread_id;       // [atomic] thread.c: of the owner, when somebody asks
    uint64_t seen_live;                // view.c: whoever refreshes; live blocks of its slabs
    struct record_writer writer;       // [owner] recorder.c

    ALIGNED(64) struct lock mail_lock; // mail.c
    _Atomic(uint32_t) mail_head;       // [atomic] written under LOCK_MAIL: first posted slab
    _Atomic(uint32_t) slabs;           // [atomic] slab.c: small slabs that this heap owns
    uint64_t came_home;                // [lock: LOCK_MAIL] mail.c: blocks that others sent

    struct heap *next_heap;   // [lock: LOCK_ORPHAN] orphan.c: all heaps ever made
    struct heap *next_orphan; // [lock: LOCK_ORPHAN] orphan.c: parked heaps

    ALIGNED(64) uint8_t magazine_count[MEDIUM_CLASSES];  // [owner] medium.c
    uint8_t magazine_limit[MEDIUM_CLASSES];              // [owner] medium.c: blocks, at most
    uint8_t magazine_drains[MEDIUM_CLASSES];             // [owner] medium.c: since the last fill
    uint64_t magazine_handed[MEDIUM_CLASSES];            // [owner] medium.c: blocks given so far
    void *magazine[MEDIUM_CLASSES][MAGAZINE_BLOCKS_MAX]; // [owner] medium.c
};

#endif
