/* cpu_cache.h - allocates and frees blocks of a size class through the slot of the CPU, backed by
 * the depot. Any thread, inside a slow path. */
#ifndef CORE_CPU_CACHE_H
#define CORE_CPU_CACHE_H

#include "core/slot.h"

#include <stdbool.h>
#include <stddef.h>

// Requests of fewer bytes may take the fast path: SMALL_BYTES_MAX + 1, or 0 before start-up, in
// modes that must see every request, and while the page heap must (page_heap_watch).
extern HIDDEN _Atomic(size_t) g_fast_bytes;
void cpu_cache_set_fast(size_t bytes);

// Called for each refill, and for each request that the slot served although the fast path missed:
// reads the clock now and then, and flushes the slot of this CPU after a fall (core/fall.h).
void cpu_cache_tick(void);

// The class to allocate from for a request of class `sc` that needs no alignment: the first
// requests of four classes share the slabs of the largest one, so that a small process touches
// fewer pages.
unsigned cpu_cache_class_at_first(unsigned sc);

// Allocates a block of the class; NULL if out of memory. *is_clean: the block is zero.
void *cpu_cache_allocate(unsigned sc, bool *is_clean);

// Frees a block that begins in a slab of the class. Dies if it is known to be free.
void cpu_cache_free(unsigned sc, void *block);

// True if a block is known to be free, being among the first few of the slot.
bool cpu_cache_holds(unsigned sc, const void *block);

// A cheap test before cpu_cache_holds(): false if the block seems to be in use, true if that
// function must be asked.
static inline bool cpu_cache_may_hold(unsigned sc, const void *block)
{
    const struct slot *slot = slot_hint();
    size_t bin = slot_bin(sc);
    return slot == NULL || list_first(slot_look(&slot->loaded[bin])) == block ||
           atomic_load_explicit(&slot->limit[bin], memory_order_relaxed) == 0;
}

// Flushes the slot of this CPU; if `of_all`, those of all CPUs where the kernel supports it. For
// malloc_trim, and when memory is short. Called inside a slow path.
void cpu_cache_flush(bool of_all);

#endif
