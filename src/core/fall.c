/* fall.c - tells when the caches of CPUs should be flushed: in a fall of what is in use.
 *
 * Owns:       the mark below which a fall begins.
 * Threads:    any; the numbers are hints, a lost update costs a flush too many or too few.
 * Locks:      takes none.
 * Invariants: FALL-1  what is out is no less than a quarter below the mark, when last looked at.
 *
 * In random order the blocks in the cache of one CPU pin a slab each, so that a heap that has
 * fallen by half may hold all its slabs still. So blocks are counted, not spans. Each time that
 * a quarter of them was freed is a fall. While it goes on, the next one may follow at once; what
 * rises again falls anew after RISE_LOOKS looks, for a flush takes as long as some of them.
 */
#include "core/fall.h"

#include "base/check.h"
#include "core/depot_look.h"

#define FALL_SHARE     4               // of the mark
#define FALL_BYTES_MIN (1024UL * 1024) // less is not worth a flush
#define RISE_LOOKS     256U

static struct {
    size_t count;  // [atomic] of falls
    size_t mark;   // [atomic] bytes out; FALL-1
    unsigned rest; // [atomic] looks before the mark rises again
} g_fall;

void fall_look(void)
{
    size_t out = depot_out_bytes();
    size_t mark = RELAXED_LOAD(g_fall.mark);
    unsigned rest = RELAXED_LOAD(g_fall.rest);
    ASSERT(rest <= RISE_LOOKS);
    rest -= rest != 0;
    mark = rest == 0 && out > mark ? out : mark;
    if (out < mark - mark / FALL_SHARE) {
        if (mark >= FALL_BYTES_MIN) {
            RELAXED_STORE(g_fall.count, RELAXED_LOAD(g_fall.count) + 1);
            rest = RISE_LOOKS;
        }
        mark = out;
    }
    ASSERT(out >= mark - mark / FALL_SHARE); // FALL-1
    RELAXED_STORE(g_fall.mark, mark);
    RELAXED_STORE(g_fall.rest, rest);
}

size_t fall_count(void)
{
    return RELAXED_LOAD(g_fall.count);
}
