/* units.h - which 2-MiB units of the region may be huge pages. All functions require
 * LOCK_PAGE_HEAP, held by span.c. */
#ifndef PAGES_UNITS_H
#define PAGES_UNITS_H

#include "base/config.h"

#include <stdbool.h>
#include <stddef.h>

#define UNIT_CHUNKS (HUGE_PAGE_BYTES / CHUNK_BYTES)

// True if huge pages were requested for some unit.
bool units_any(void);
bool units_is_huge(size_t unit);

// Records an allocation; true if it is dense (will be written to all over), like nearly all recent
// ones: then a unit that it begins can be expected to fill up.
bool units_fill(size_t length, bool is_dense);

// Requests huge pages for the units that are completely free and not resident, and of which
// [index, index + length) of the free span [span, end) takes a part; if that is a very large block,
// which may be written to only where it begins, of those inside of it.
void units_ask(size_t span, size_t end, size_t index, size_t length);

// Called before a part of these chunks is purged: units that they touch become small pages, and
// stay so until they are completely free.
void units_refuse(size_t first, size_t chunks);

// Called when the mappings of these chunks, and the requests for them, are gone.
void units_forget(size_t first, size_t chunks);

#endif
