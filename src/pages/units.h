/* units.h - which 2-MiB units of the region may be huge pages. Everything needs LOCK_PAGE_HEAP,
 * held by span.c. */
#ifndef PAGES_UNITS_H
#define PAGES_UNITS_H

#include "base/config.h"

#include <stdbool.h>
#include <stddef.h>

#define UNIT_CHUNKS (HUGE_PAGE_BYTES / CHUNK_BYTES)

// Some unit was asked for.
bool units_any(void);
bool units_is_huge(size_t unit);

// Notes what is taken; true when it is dense (will be written to all over), as nearly all was
// lately: then a unit that it begins becomes dense as a whole.
bool units_fill(size_t length, bool is_dense);

// Asks for huge pages in the units that are free as a whole, and not resident, of which [index,
// index + length) of the free span [span, end) takes a part.
void units_ask(size_t span, size_t end, size_t index, size_t length);

// Part of these chunks is about to be purged: what units they touch become small pages, and stay so
// until they are free as a whole.
void units_refuse(size_t first, size_t chunks);

// The mappings of these chunks are gone, and with them what was asked for.
void units_forget(size_t first, size_t chunks);

#endif
