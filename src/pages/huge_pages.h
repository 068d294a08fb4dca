/* huge_pages.h - decides which memory gets huge pages. Any thread; no lock.
 *
 * One page fault for 2 MiB costs a third of the 512 that it replaces, where the host has memory
 * behind huge pages. It makes 2 MiB resident at once: so huge pages are requested only for memory
 * that will be written to all over, and only in programs that use much. Memory that becomes sparse
 * opts out again, so that the kernel does not bring back what was purged.
 */
#ifndef PAGES_HUGE_PAGES_H
#define PAGES_HUGE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum huge_pages_mode { HUGE_PAGES_NEVER, HUGE_PAGES_AUTO, HUGE_PAGES_ALWAYS };
void huge_pages_set(enum huge_pages_mode mode);

// True if a program with so many bytes in use may have huge pages.
bool huge_pages_are_for(size_t used_bytes);

// Asks for huge pages in all units that are completely inside this fresh memory. It is used next,
// from its start on: the first unit is touched and timed.
void huge_pages_ask(void *start, size_t bytes);

// Counts a unit whose first write took so many nanoseconds, 0: no clock. False: they are slow.
bool huge_pages_note(uint64_t took_ns);

// Asks for them in a whole mapping, also where no unit lies inside: if its parts differ, the kernel
// splits it, and no longer moves it by mremap. Of one that is new the first unit may be touched and
// timed.
void huge_pages_ask_mapping(void *start, size_t bytes, bool is_new);

// The opposite, for units that are about to be purged in part.
void huge_pages_refuse(void *start, size_t bytes);

#endif
