/* fall.h - tells when the caches of CPUs should be flushed. Any thread, inside a slow path. */
#ifndef CORE_FALL_H
#define CORE_FALL_H

#include <stddef.h>

// Called now and then by slow paths that free: notices when much less is in use than before.
void fall_look(void);

// Counts falls. A cache that has seen another count should be flushed: its blocks may pin most of
// the slabs that are left.
size_t fall_count(void);

#endif
