/* thin.h - purges single pages of slabs that are nearly empty. Any thread; no lock held. */
#ifndef CORE_THIN_H
#define CORE_THIN_H

#include <stddef.h>

// Called when the heap takes `bytes` of memory that was not resident: purges about as much
// elsewhere. Bounded work.
void thin_out(size_t bytes);

#endif
