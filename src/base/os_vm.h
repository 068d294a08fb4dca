/* os_vm.h - addresses and memory of the process.
 *
 * Nothing here changes errno. Failures are NULL or false; in debug builds they come on demand.
 */
#ifndef BASE_OS_VM_H
#define BASE_OS_VM_H

#include "base/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes of a page, asked once; MYALLOC_FORCE_PAGE overrides.
size_t os_page_bytes(void);

// The program break, through glibc's sbrk: glibc caches the break, and a raw system call behind
// its back would let the next foreign sbrk cut our heap off.
void *os_break(void);                // where it is; NULL when there is none
void *os_break_move(intptr_t bytes); // the old break, NULL when refused

// Fresh zeroed private memory. `hint` NULL: anywhere.
void *os_map(void *hint, size_t bytes);
// Addresses without memory; they count for no limit on memory in use.
void *os_map_none(size_t bytes);
// As os_map, but exactly at `address`, or NULL.
void *os_map_at(void *address, size_t bytes);
// An address in the wide hole between the program and its mappings, different in each process, with
// room of 2 TiB behind it; `place` 0 to 7 are far from each other.
void *os_hole_address(unsigned place);
// Moves a mapping to where another one is, which is gone.
void os_move(void *from, void *to, size_t bytes);
void os_unmap(void *start, size_t bytes);
// Resizes a mapping, moving it when it must; NULL when it cannot be, the old one then stays.
void *os_remap(void *start, size_t old_bytes, size_t new_bytes);

// Gives the pages back, keeps the addresses; they read as zero afterwards. False: still there.
bool os_purge(void *start, size_t bytes);
// Makes pages unreadable, or usable again; what they hold stays. False: refused.
bool os_protect(void *start, size_t bytes, bool is_usable);
// Hides pages by marks in the page table, which costs a mapping nothing, and empties them; or takes
// the marks away. False: the kernel, older than 6.13, has none, or refuses.
bool os_mark_hidden(void *start, size_t bytes, bool is_hidden);
uint64_t os_random(void); // each time another; made from the secret that a process starts with
// Asks for huge pages where the system gives them on request; whether it does is its affair.
void os_huge_pages(void *start, size_t bytes, bool wants); // or takes that back

#endif
