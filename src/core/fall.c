/* fall.c - tells when the caches of CPUs should be flushed: in a fall of what is in use.
 *
 * Owns:       the mark below which a fall begins.
 * Threads:    any; the numbers are hints, a lost update costs a flush too many or too few.
 * Locks:      takes none.
 * Invariants: FALL-1  what is out is at most a quarter below the mark, when last looked at.
 *
 * In random order the blocks in the cache of one CPU pin a slab each, so that a heap that has
 * fallen by half may hold all its slabs still. So blocks are counted, not spans. Each time that
 * a quarter of them was freed is a fall. While it goes on, the next one may follow at once; what
 * rises again falls anew after some looks, twice as many each time, for a flush takes as long as
 * some of them, and what it gives back is faulted in again. A fall that was missed in that time is
 * told at its end: the program may have ended its work. The end comes after a second at the latest,
 * if there are ticks that see it (cpu_cache_tick).
 */
#include "core/fall.h"

#include "base/bits.h"
#include "base/check.h"
#include "core/depot_look.h"

#define FALL_SHARE     4               // of the mark
#define FALL_BYTES_MIN (1024UL * 1024) // less is not worth a flush
#define REST_FIRST     16U             // looks before the mark rises again after a fall
#define REST_MOST      2048U           // doubled up to this: the program swings

static struct {
    unsigned count;    // [atomic] of falls, modulo 2^32
    size_t mark;       // [atomic] bytes out; FALL-1
    size_t most;       // [atomic] most bytes out since `mark` was lowered: the next mark
    unsigned rest;     // [atomic] looks before the mark rises again
    unsigned patience; // [atomic] what `rest` will be after the next fall
} g_fall = {.patience = REST_FIRST};

void fall_look(bool is_late)
{
    size_t out = depot_out_bytes();
    size_t mark = RELAXED_LOAD(g_fall.mark);
    unsigned rest = RELAXED_LOAD(g_fall.rest);
    unsigned patience = RELAXED_LOAD(g_fall.patience);
    ASSERT(rest <= REST_MOST);
    ASSERT(patience <= REST_MOST);
    size_t most = max_size(RELAXED_LOAD(g_fall.most), out);
    rest = is_late ? 0 : rest - (rest != 0);
    mark = rest == 0 ? most : mark;
    if (out < mark - mark / FALL_SHARE) {
        if (mark >= FALL_BYTES_MIN) {
            RELAXED_STORE(g_fall.count, RELAXED_LOAD(g_fall.count) + 1);
            if (rest == 0) {
                rest = patience;
                RELAXED_STORE(g_fall.patience, (unsigned)min_size(patience * 2UL, REST_MOST));
            }
        }
        mark = out;
        most = out;
    }
    ASSERT(out >= mark - mark / FALL_SHARE); // FALL-1
    RELAXED_STORE(g_fall.mark, mark);
    RELAXED_STORE(g_fall.most, most);
    RELAXED_STORE(g_fall.rest, rest);
}

unsigned fall_count(void)
{
    return RELAXED_LOAD(g_fall.count);
}
