/* quarantine.h - freed large and huge blocks, before their memory is reused. Any thread. A function
 * that finds one modified dies. */
#ifndef HARDENED_QUARANTINE_H
#define HARDENED_QUARANTINE_H

#include "base/lock.h"

#include <stdbool.h>
#include <stddef.h>

#define QUARANTINE_ROWS 2 // runs of hidden pages that a span has reserved, see protect.h

// A freed block. A span from `start` on, or a huge block with its front page at `start`.
struct quarantined {
    char *start;  // NULL: none
    size_t bytes; // of the span, or of the mapping
    size_t shown; // QUARANTINE-3: readable bytes of its block; 0: none
    bool is_purged;
    bool is_huge; // false: a span, which has reserved QUARANTINE_ROWS
};

// Once, before all else. `purges`: blocks that leave the quarantine are purged at once.
void quarantine_start(bool purges);
bool quarantine_purges(void);

// Adds a block; the oldest ones leave if needed. False: it cannot be hidden, and was not added.
bool quarantine_put(struct quarantined freed, const void *caller);
// Removes the oldest block that has `bytes` or up to a quarter more, but none of the newest. start
// NULL: none.
struct quarantined quarantine_take(size_t bytes, bool is_huge);
bool quarantine_has(const char *start);
// Returns the memory of a block that is not, or no longer, in quarantine to the floor below.
void quarantine_release(struct quarantined freed, const void *caller);
// Dies when its readable bytes are not zero.
void quarantine_check(const struct quarantined *freed, const void *caller);

// Releases all; returns their bytes.
size_t quarantine_trim(const void *caller);
// Adds the huge blocks in quarantine, which huge.h counts as live.
void quarantine_count_huge(size_t *blocks, size_t *bytes);

void quarantine_each_lock(lock_visitor *visit); // for a fork

#endif
