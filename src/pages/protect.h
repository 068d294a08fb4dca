/* protect.h - pages that nobody can read or write, as far as the kernel has mappings for them, and
 * pages that are made zero. Any thread. */
#ifndef PAGES_PROTECT_H
#define PAGES_PROTECT_H

#include <stdbool.h>
#include <stddef.h>

// Asks for `rows` of hidden pages in a row; false: what a process may have of them is in use, or
// its pages are longer than chunks.
bool protect_reserve(unsigned rows);
void protect_unreserve(unsigned rows);

// Whole pages. False: refused, they are as they were. Nothing to do for no bytes.
bool protect_hide(void *start, size_t bytes);
// Undoes protect_hide; false: refused, the memory cannot be used.
bool protect_show(void *start, size_t bytes);

// Whether half of the pages or more, of PROTECT_LOOK_BYTES at most, are in memory; false: unknown,
// too.
#define PROTECT_LOOK_BYTES (1UL << 20)
bool protect_is_resident(void *start, size_t bytes);
// Makes whole pages zero.
void protect_clear(char *start, size_t bytes);

#endif
