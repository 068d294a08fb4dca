/* os_vm.h - address space and memory of the process.
 *
 * Nothing here changes errno. A failure is reported as NULL or false; debug builds can inject them.
 */
#ifndef BASE_OS_VM_H
#define BASE_OS_VM_H

#include "base/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes of a page, queried once; MYALLOC_FORCE_PAGE overrides it.
size_t os_page_bytes(void);

// The program break, through glibc's sbrk: glibc caches the break, so if we moved it by a raw
// system call, the next foreign sbrk would cut off our heap.
void *os_break(void);                // the current break; NULL: there is none
void *os_break_move(intptr_t bytes); // returns the old break; NULL: refused

// Maps fresh zeroed private memory. `hint` NULL: anywhere.
void *os_map(void *hint, size_t bytes);
// Reserves address space without memory, which counts towards no limit on memory in use.
void *os_map_none(size_t bytes);
// As os_map, but exactly at `address`, or NULL.
void *os_map_at(void *address, size_t bytes);
// An address in the wide hole between the program and its mappings, random per process, with 2 TiB
// of room after it; `place` 0 to 7 are far from each other.
void *os_hole_address(unsigned place);
// Moves a mapping over another one, which is replaced.
void os_move(void *from, void *to, size_t bytes);
void os_unmap(void *start, size_t bytes);
// Resizes a mapping, moving it if necessary; NULL: failed, the old one is unchanged.
void *os_remap(void *start, size_t old_bytes, size_t new_bytes);

// Releases the pages but keeps the addresses, which then read as zero. False: nothing was released.
bool os_purge(void *start, size_t bytes);
// Makes pages inaccessible, or usable again; their contents stay. False: refused.
bool os_protect(void *start, size_t bytes, bool is_usable);
// Discards pages and guards them by marks in the page table, which does not split the mapping; or
// removes the marks. False: the kernel is older than 6.13, or refuses.
bool os_mark_hidden(void *start, size_t bytes, bool is_hidden);
uint64_t os_random(void); // a new number each time, derived from the kernel's AT_RANDOM secret
// Requests huge pages; the system may ignore it.
void os_huge_pages(void *start, size_t bytes, bool wants); // or opts out

#endif
