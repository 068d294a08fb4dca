/* fall.h - tells when the caches of CPUs should be flushed. Any thread, inside a slow path. */
#ifndef CORE_FALL_H
#define CORE_FALL_H

#include <stdbool.h>

// Called now and then by slow paths that free: notices when much less is in use than before.
// is_late: a while has passed, however few looks there were.
void fall_look(bool is_late);

// Counts falls. A cache that has seen another count should be flushed: its blocks may pin most of
// the slabs that are left.
unsigned fall_count(void);

#endif
