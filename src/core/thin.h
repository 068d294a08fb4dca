/* thin.h - single pages of slabs of which little is left in use. Any thread; no lock held. */
#ifndef CORE_THIN_H
#define CORE_THIN_H

#include <stddef.h>

// The heap takes `bytes` of memory that were not resident: gives some of its own back for them.
// Bounded work.
void thin_out(size_t bytes);

#endif
