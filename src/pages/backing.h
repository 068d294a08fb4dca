/* backing.h - huge blocks in a file without a name (backing:DIR): memory that the kernel writes to
 * disk when RAM is short, without swap. Any thread. */
#ifndef PAGES_BACKING_H
#define PAGES_BACKING_H

#include "base/lock.h"
#include "base/options.h"

#include <stdbool.h>
#include <stddef.h>

static inline bool backing_is_on(void)
{
    return UNLIKELY(g_options.backing[0] != '\0');
}

// Puts a piece of the file, with room on the disk, in place of the mapping at `start` (whole
// pages); false after one line on stderr in a process: it stayed as it was. *clean: it is zero.
bool backing_cover(void *start, size_t bytes, bool *clean);
// Gives the room of a covered mapping back, which is unmapped next.
void backing_return(void *start, size_t bytes);
// Resizes a covered mapping, moving it when it must; NULL: it stays as it was.
void *backing_resize(void *start, size_t old_bytes, size_t new_bytes);

void backing_each_lock(lock_visitor *visit); // for a fork
// With the lock, before a fork: what is in the file becomes memory that the child has alone.
void backing_prefork(void);

#endif
