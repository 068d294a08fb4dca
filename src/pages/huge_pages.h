/* huge_pages.h - which memory comes by huge pages. Any thread; no lock.
 *
 * One page fault for 2 MiB costs a third of the 512 that it replaces, where the host has memory
 * behind huge pages. It brings 2 MiB at once: so only memory that is going to be written to all
 * over is asked for, and only in programs that have much. What becomes sparse is refused again, so
 * that the kernel does not bring back what was purged.
 */
#ifndef PAGES_HUGE_PAGES_H
#define PAGES_HUGE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

enum huge_pages_mode { HUGE_PAGES_NEVER, HUGE_PAGES_AUTO, HUGE_PAGES_ALWAYS };
void huge_pages_set(enum huge_pages_mode mode);

// True when a program with so many bytes in use may ask.
bool huge_pages_are_for(size_t used_bytes);

// Asks for huge pages in all units that lie as a whole in this fresh memory. `is_next`: it is used
// next, from its start on: then the first ones are touched and timed.
void huge_pages_ask(void *start, size_t bytes, bool is_next);

// The opposite, for units of which a part is going to be purged.
void huge_pages_refuse(void *start, size_t bytes);

#endif
