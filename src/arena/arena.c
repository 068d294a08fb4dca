/* arena.c - runs for the floors above.
 *
 * Owns:       nothing; orders the modules of this floor.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: ARENA-1  memory is refused only when nothing cached is left to give up.
 */
#include "arena/arena.h"

#include "arena/huge.h"
#include "arena/purge.h"
#include "arena/run.h"
#include "base/check.h"

size_t arena_take(size_t length, size_t alignment, bool *clean)
{
    size_t index = run_take(length, alignment, true, clean);
    if (UNLIKELY(index == 0) && huge_release_cache() != 0) { // ARENA-1
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
    purge_consider();
}

void arena_tick(void)
{
    if (purge_tick()) {
        huge_age();
    }
}
