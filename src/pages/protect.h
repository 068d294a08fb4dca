/* protect.h - pages that nobody can read or write, as far as the kernel has mappings for them, and
 * pages that are made zero. Any thread. */
#ifndef PAGES_PROTECT_H
#define PAGES_PROTECT_H

#include <stdbool.h>
#include <stddef.h>

// Asks for `rows` of hidden pages in a row; false: what a process may have of them is in use,
// its pages are longer than chunks, or it was refused to show some again.
bool protect_reserve(unsigned rows);
void protect_unreserve(unsigned rows);

// A guard of whole pages that hold nothing: marks in the page table, where the kernel has them,
// else hidden pages, of which it reserves a row. Marks cost no mapping, and can be taken away at
// any time: their pages still count as data.
enum protect_guard { PROTECT_NONE, PROTECT_MARKED, PROTECT_HIDDEN };
enum protect_guard protect_guard(void *start, size_t bytes);
// Undoes it; false: refused, the guard stays.
bool protect_unguard(void *start, size_t bytes, enum protect_guard guard);

// The same in parts, for who has reserved rows: which kind, and pages of one that is used.
enum protect_guard protect_kind(void);
bool protect_guard_more(void *start, size_t bytes, enum protect_guard guard);
bool protect_guard_less(void *start, size_t bytes, enum protect_guard guard);

// Whole pages. False: refused, they are as they were. Nothing to do for no bytes.
bool protect_hide(void *start, size_t bytes);
// Undoes protect_hide; false: refused, the memory cannot be used.
bool protect_show(void *start, size_t bytes);

// Whether half or more of a few of the pages hold something else than zeros, and so are in memory.
bool protect_is_written(const char *start, size_t bytes);
// Makes whole pages zero.
void protect_clear(char *start, size_t bytes);

#endif
