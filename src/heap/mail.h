/* mail.h - small blocks coming home to slabs that other threads own. */
#ifndef HEAP_MAIL_H
#define HEAP_MAIL_H

#include "heap/heap_data.h"

#include <stdbool.h>

enum mail_result {
    MAIL_SENT,
    MAIL_BUSY,    // the owner's mail is in use: try again later
    MAIL_UNOWNED, // the slab has no owner: ask the pool
    MAIL_EMPTIED, // the last block of a sleeping slab: its chunk is the caller's now
    MAIL_DOUBLE,  // this block has come home before: a double free
};

// Blocks sent one after another: the lock of an owner stays held from one to the next of the same
// owner. Begins as {NULL}; nothing else that locks may be done before it ends.
struct mail_round {
    struct heap *held; // whose LOCK_MAIL this thread holds; NULL: none
};

// Any thread. Sends one block, which begins at a block start of its slab, home. Without `wait`
// it gives up at once when the owner's mail is in use. All results but MAIL_SENT end the round.
enum mail_result mail_send(struct mail_round *round, struct chunk *slab, const void *ptr,
                           bool wait);
void mail_round_end(struct mail_round *round);

// Owner only. True when mail_collect would find something.
static inline bool mail_has_any(const struct heap *heap)
{
    return atomic_load_explicit(&heap->mail_head, memory_order_relaxed) != 0;
}

// Owner only. Takes one slab off the mail, its blocks now on its free list; NULL: none, or busy.
// *count is how many came.
struct chunk *mail_collect(struct heap *heap, bool wait, unsigned *count);

// Owner only. Collects what came for one slab; the number of blocks, 0 also when it was claimed.
unsigned mail_collect_slab(struct heap *heap, struct chunk *slab);

// Owner only. A slab, taken out of all lists of its heap, loses its owner: what came for it is
// collected first, and later blocks find the pool. True: all its blocks are back, the chunk is
// the caller's. False: it is in the pool.
bool mail_disown(struct heap *heap, struct chunk *slab);

#endif
