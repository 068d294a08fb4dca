/* protect.h - makes pages inaccessible, as far as the kernel has mappings for them, and makes pages
 * zero. Any thread. */
#ifndef PAGES_PROTECT_H
#define PAGES_PROTECT_H

#include <stdbool.h>
#include <stddef.h>

// Reserves `rows` rows of adjacent hidden pages; false: the process has as many as it may, its
// pages are larger than chunks, or pages could not be shown again.
bool protect_reserve(unsigned rows);
void protect_unreserve(unsigned rows);

// Makes a guard of whole pages without contents: marks in the page table, where the kernel supports
// them, or else hidden pages, for which it reserves a row. Marks cost no mapping, and can be
// removed at any time, since their pages still count as data.
enum protect_guard { PROTECT_NONE, PROTECT_MARKED, PROTECT_HIDDEN };
enum protect_guard protect_guard(void *start, size_t bytes);
// Removes the guard; false: refused, the guard stays.
bool protect_unguard(void *start, size_t bytes, enum protect_guard guard);

// The same page by page, for callers that have reserved rows: the kind to use, and pages to add to
// a guard or remove from it. A guard of the kind PROTECT_NONE gets no more, and has none to remove.
enum protect_guard protect_kind(void);
bool protect_guard_more(void *start, size_t bytes, enum protect_guard guard);
bool protect_guard_less(void *start, size_t bytes, enum protect_guard guard);

// Hides whole pages. False: refused, nothing changed. Does nothing for 0 bytes.
bool protect_hide(void *start, size_t bytes);
// Undoes protect_hide; false: refused, the memory cannot be used.
bool protect_show(void *start, size_t bytes);

// True if at least half of a few sampled pages are not all zero, and so are resident.
bool protect_is_written(const char *start, size_t bytes);
// Makes memory zero, by purging where it is whole pages that were hardly written: a span is not
// where a page is larger than a chunk.
void protect_clear(char *start, size_t bytes);

#endif
