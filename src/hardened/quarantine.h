/* quarantine.h - freed large and huge blocks, before their memory is used again. Any thread. What
 * finds one written to, dies. */
#ifndef HARDENED_QUARANTINE_H
#define HARDENED_QUARANTINE_H

#include "base/lock.h"

#include <stdbool.h>
#include <stddef.h>

#define QUARANTINE_ROWS 2 // of hidden pages that a span has reserved, see protect.h

// A freed block. A span from `start` on, or a huge block with its front page at `start`.
struct quarantined {
    char *start;  // NULL: none
    size_t bytes; // of the span, or of the mapping
    size_t shown; // QUARANTINE-3: of its block, that can be read; 0: none
    bool is_purged;
    bool is_huge; // false: a span, which has reserved QUARANTINE_ROWS
};

// Once, before all else. `purges`: the memory of what leaves the quarantine goes back at once.
void quarantine_start(bool purges);
bool quarantine_purges(void);

// Puts a block in; in its place the oldest leave. False: it cannot be hidden, and is not in.
bool quarantine_put(struct quarantined freed, const void *caller);
// The oldest that is as long, or up to a quarter longer; none of the newest. start NULL: none.
struct quarantined quarantine_take(size_t bytes, bool is_huge);
bool quarantine_has(const char *start);
// Gives the memory of a block that is not in, or no longer, to the floor below.
void quarantine_release(struct quarantined freed, const void *caller);
// Dies when what can be read of it is not zero.
void quarantine_check(const struct quarantined *freed, const void *caller);

// Releases all; bytes.
size_t quarantine_trim(const void *caller);
// Adds the huge blocks in quarantine, which huge.h takes for live ones.
void quarantine_count_huge(size_t *blocks, size_t *bytes);

void quarantine_each_lock(lock_visitor *visit); // for a fork

#endif
