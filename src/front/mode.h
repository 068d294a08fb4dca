/* mode.h - the features, for the rest of front: mode.c alone knows which there are. */
#ifndef FRONT_MODE_H
#define FRONT_MODE_H

#include "base/compiler.h"
#include "base/lock.h"

// The locks of features, by rank: see fork.c.
extern HIDDEN lock_walker *const g_mode_locks[LOCK_RANKS];

// In the child of a fork, while it passes all locks.
void mode_postfork_child(void);

#endif
