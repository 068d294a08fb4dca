/* cpu_cache.h - blocks of a size class, by the slot of the CPU, and by the depot behind it. Any
 * thread, inside of a slow path. */
#ifndef CORE_CPU_CACHE_H
#define CORE_CPU_CACHE_H

#include "core/slot.h"

#include <stdbool.h>
#include <stddef.h>

// Requests below this many bytes are for the fast path: SMALL_BYTES_MAX + 1, or 0 where every
// request is to be seen, and where nothing has begun.
extern HIDDEN _Atomic(size_t) g_fast_bytes;
void cpu_cache_set_fast(size_t bytes);

// For each request that the slot served though the fast path missed, and each refill: now and then
// looks at the clock.
void cpu_cache_tick(void);

// A block of the class; NULL without memory. *is_clean: it is zero.
void *cpu_cache_allocate(unsigned sc, bool *is_clean);

// Frees a block that begins in a slab of the class. Dies when it is known to be free.
void cpu_cache_free(unsigned sc, void *block);

// True when a block is known to be free: it stands among the first few of the slot.
bool cpu_cache_holds(unsigned sc, const void *block);

// A cheap look: false: as far as can be known the block is in use. True: ask cpu_cache_holds().
static inline bool cpu_cache_may_hold(unsigned sc, const void *block)
{
    const struct slot *slot = slot_hint();
    size_t bin = slot_bin(sc);
    return slot == NULL || list_first(slot_look(&slot->loaded[bin])) == block ||
           atomic_load_explicit(&slot->limit[bin], memory_order_relaxed) == 0;
}

// Empties the slot of this CPU, and where the kernel helps those of all others. For malloc_trim,
// and when memory is short.
void cpu_cache_flush(bool of_all);

#endif
