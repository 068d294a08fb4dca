/* limit.h - the size from which a block is huge, with a mapping of its own. Any thread.
 *
 * Either fixed (M_MMAP_THRESHOLD, huge_bytes), or HUGE_BYTES_MIN at first; then it rises above each
 * huge block that is freed, to LARGE_BYTES_LIMIT at most: a program that frees such blocks will
 * allocate more of them, and memory of the region is reused without a fault. [glibc: dynamic mmap
 * threshold] While hundreds of them are in use it is HUGE_BYTES_MIN again: in the region each takes
 * a page of the page map, and its tables are cold whenever one is freed.
 */
#ifndef PAGES_LIMIT_H
#define PAGES_LIMIT_H

#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

// Fixes the limit; 0: not fixed.
void limit_set(size_t bytes);
size_t limit_bytes(void);

// The most blocks with a mapping of their own at a time (M_MMAP_MAX, huge_max); MAPS_USUAL or more:
// any number. Beyond it, the region serves what would be huge, up to LIMIT_BYTES_MAX.
#define MAPS_USUAL 65536 // glibc's default
void limit_set_maps(size_t count);
size_t limit_maps(void);
extern HIDDEN _Atomic(size_t) g_limit_slab_bytes;
// Blocks up to this size may be in slabs: SLAB_BYTES_MAX, or MEDIUM_BYTES_MAX at least where larger
// ones are huge.
static inline size_t limit_slab_bytes(void)
{
    size_t bytes = atomic_load_explicit(&g_limit_slab_bytes, memory_order_relaxed);
    ASSERT(bytes >= MEDIUM_BYTES_MAX);
    ASSERT(bytes <= SLAB_BYTES_MAX);
    return bytes;
}

// Called when the span or mapping of a block changes its length; 0: it is not in use.
void limit_count(size_t old_bytes, size_t bytes);

// Called when a huge block of `bytes` is freed; true if blocks of that size are no longer huge.
bool limit_raise(size_t bytes);

#endif
