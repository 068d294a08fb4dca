/* arena.c - runs for the floors above.
 *
 * Owns:       the few freed runs that wait; orders the modules of this floor.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: ARENA-1  memory is refused only when nothing cached is left to give up.
 *             ARENA-2  what waits is at most WAIT_BYTES_MIN or a 32nd of what is in use.
 */
#include "arena/arena.h"

#include "arena/huge.h"
#include "arena/purge.h"
#include "arena/run.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"

#include <stdatomic.h>
#include <stdint.h>

#define WAITING        2              // runs, at most
#define WAIT_BYTES_MIN (512UL * 1024) // of both: what may be dirty as well

static struct {
    _Atomic(uint64_t) waiting[WAITING]; // [atomic] index << 32 | length; 0 none
    _Atomic(uint32_t) next;             // [atomic] the place that waits longest
} g_arena;

// Both, whatever the first gave.
static bool give_up_caches(void)
{
    bool any = arena_give_waiting();
    return huge_release_cache() != 0 || any;
}

size_t arena_take(size_t length, size_t alignment, bool *clean)
{
    size_t index = run_take(length, alignment, true, clean);
    if (UNLIKELY(index == 0) && give_up_caches()) { // ARENA-1
        index = run_take(length, alignment, true, clean);
    }
    return index;
}

size_t arena_take_without_growth(size_t length, bool *clean)
{
    return run_take(length, 1, false, clean);
}

void arena_give(size_t index, size_t length)
{
    ASSERT(index != 0);
    run_give(index, length);
    purge_consider(length << CHUNK_SHIFT);
}

// Puts a run, or 0, in the place of what waits there, and gives that back.
static bool replace_waiting(unsigned place, uint64_t run)
{
    // acq_rel: who takes a run out sees what its giver did to it
    uint64_t old = atomic_exchange_explicit(&g_arena.waiting[place], run, memory_order_acq_rel);
    if (old != 0) {
        arena_give(old >> 32, old & UINT32_MAX);
    }
    return old != 0;
}

bool arena_give_waiting(void)
{
    bool any = false;
    for (unsigned place = 0; place < WAITING; place++) {
        any |= replace_waiting(place, 0);
    }
    return any;
}

void arena_give_late(size_t index, size_t length)
{
    size_t used = run_used_bytes();
    bool is_short = length << CHUNK_SHIFT <= max_size(WAIT_BYTES_MIN, used / 32) / WAITING;
    if (is_short && used >= purge_peak_bytes() / 2) { // ARENA-2
        uint32_t place = atomic_fetch_add_explicit(&g_arena.next, 1, memory_order_relaxed);
        replace_waiting(place % WAITING, (uint64_t)index << 32 | length);
    } else { // large, or of a heap that shrinks: it may be what keeps the break up
        arena_give_waiting();
        arena_give(index, length);
    }
}

void arena_tick(void)
{
    if (purge_tick()) {
        huge_age();
        arena_give_waiting();
    }
}
