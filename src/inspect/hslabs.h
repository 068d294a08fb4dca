/* hslabs.h - counts the blocks of hardened mode for a census. Any thread. */
#ifndef INSPECT_HSLABS_H
#define INSPECT_HSLABS_H

#include "core/census.h"

// Adds the blocks in hardened slabs to their size classes.
void hslabs_count(struct census *census);

#endif
