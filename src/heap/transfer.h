/* transfer.h - batches of free small blocks on their way between threads, one pool per class.
 * Any thread; nobody waits: when a pool is in use, putting and taking fail. */
#ifndef HEAP_TRANSFER_H
#define HEAP_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>

struct batch {
    void *head;     // linked blocks; NULL: no batch
    unsigned count; // of blocks
};

// False: pool full or in use, the batch stays the caller's.
bool transfer_put(unsigned class, struct batch batch);
// The newest batch; head NULL when there is none.
struct batch transfer_take(unsigned class);
// A batch that nobody has wanted since the last sweep of this class; head NULL when there is none.
struct batch transfer_take_stale(unsigned class);
// Ends a period of a class: what lies there all through the next one is stale.
void transfer_sweep(unsigned class);

// Blocks of a class in its pool, for statistics.
size_t transfer_count(unsigned class);

// Copies the batches of a class; those beyond are left as they are. None while it is in use.
void transfer_look(unsigned class, struct batch *batches);

void transfer_prefork(void);
void transfer_postfork_parent(void);
void transfer_postfork_child(void);

#endif
