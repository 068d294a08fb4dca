/* limit.h - the size from which a block is huge, with a mapping of its own. Any thread.
 *
 * Either fixed (M_MMAP_THRESHOLD, huge_bytes), or HUGE_BYTES_MIN at first; then it rises above each
 * huge block that is freed, to LARGE_BYTES_LIMIT at most: a program that frees such blocks will
 * allocate more of them, and memory of the region is reused without a fault. [glibc: dynamic mmap
 * threshold] But while thousands of blocks of HUGE_BYTES_MIN and more are in use, further ones get
 * mappings after all: in the region each takes a page of the page map.
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

// Called when a mapping, or the span of a large block, comes into use or changes its length; 0: not
// in use.
void limit_count(size_t old_bytes, size_t bytes);

extern HIDDEN _Atomic(bool) g_limit_has_many;
// True while new blocks of HUGE_BYTES_MIN and more get mappings although the limit has risen.
static inline bool limit_has_many(void)
{
    return atomic_load_explicit(&g_limit_has_many, memory_order_relaxed);
}

// Called when a huge block of `bytes` is freed; true if blocks of that size are no longer huge.
bool limit_raise(size_t bytes);

#endif
