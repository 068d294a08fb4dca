/* racks.h - what blocks hardened mode has, for a census. Any thread. */
#ifndef INSPECT_RACKS_H
#define INSPECT_RACKS_H

#include "core/census.h"

// Adds the blocks in racks to their size classes.
void racks_count(struct census *census);

#endif
