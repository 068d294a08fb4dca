/* backing.h - puts huge blocks into an unnamed file (backing:DIR): memory that the kernel can write
 * to disk when RAM is short, without swap. Any thread. */
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

// Maps a part of the file, with disk space allocated, over the mapping at `start` (whole pages).
// False, after one line on stderr per process: nothing changed. *clean: it is zero.
bool backing_cover(void *start, size_t bytes, bool *clean);
// Frees the disk space of a covered mapping, which the caller unmaps next.
void backing_return(void *start, size_t bytes);
// Resizes a covered mapping, moving it if necessary; NULL: failed, it is unchanged.
void *backing_resize(void *start, size_t old_bytes, size_t new_bytes);

void backing_each_lock(lock_visitor *visit); // for a fork
// Called with the lock before a fork: makes all mappings of the file private.
void backing_prefork(void);

#endif
