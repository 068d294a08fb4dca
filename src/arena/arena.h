/* arena.h - the door to this floor for slabs and large blocks: runs with all that helps to get
 * them and all that follows from giving them back. Any thread; no lock above LOCK_HUGE held. */
#ifndef ARENA_ARENA_H
#define ARENA_ARENA_H

#include <stdbool.h>
#include <stddef.h>

// run_take that gives up cached mappings before it fails.
size_t arena_take(size_t length, size_t alignment, bool *clean);
// As arena_take, but of memory that we have already; 0 when that is not enough.
size_t arena_take_without_growth(size_t length, bool *clean);
// Looks at the clock: gives back what nobody used for a second. For slow paths, now and then.
void arena_tick(void);
// run_give, then a purge when too much is free.
void arena_give(size_t index, size_t length);
// As arena_give, for a large block, but not at once: in its place the one before the last goes. Who
// still uses a freed block, or frees it again, does not meet its next user.
void arena_give_late(size_t index, size_t length);
// Gives back what waits; true when something did.
bool arena_give_waiting(void);

#endif
