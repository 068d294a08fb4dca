/* mallopt.c - mallopt(3).
 *
 * Owns:       nothing; writes single fields of g_options.
 * Threads:    any; others read the fields meanwhile.
 * Locks:      takes none.
 * Invariants: MALLOPT-1  1 is a promise: what was asked for takes effect, or holds anyway.
 */
#include "front/api.h"

#include "base/bits.h"
#include "base/config.h"
#include "base/options.h"
#include "front/mode.h"
#include "front/start.h"
#include "pages/limit.h"

#include <malloc.h>
#include <stdatomic.h>

#define FAST_BYTES_MAX 160 // glibc refuses more for M_MXFAST

static void store(_Atomic(uint64_t) *option, uint64_t value)
{
    atomic_store_explicit(option, value, memory_order_relaxed);
}

static int set_threshold(size_t bytes)
{
    limit_set(max_size(bytes, 1));
    return 1;
}

static int set_maps(int value)
{
    if (mode_is(&g_mode.is_hardened) && value < MAPS_USUAL) {
        return 0; // MALLOPT-1: large blocks lie between guard pages there
    }
    limit_set_maps(value > 0 ? (size_t)value : 0);
    return 1;
}

static int set_trim(size_t bytes)
{
    store(&g_options.trim_bytes, max_size(bytes, 1)); // the option takes 0 as automatic
    start_configure_purge();
    return 1;
}

static int set_pad(int value)
{
    if (value < 0) {
        return 0;
    }
    store(&g_options.top_pad_bytes, (uint64_t)value);
    start_configure_purge();
    return 1;
}

static int set_perturb(int value)
{
    store(&g_options.perturb, (unsigned)value & 0xff);
    if (((unsigned)value & 0xff) != 0) {
        mode_choose_paths();
    }
    return 1;
}

int api_mallopt(int parameter, int value)
{
    if (start_once() != START_SERVING) {
        return 0;
    }
    size_t bytes = (size_t)(long)value; // -1: the largest, as in glibc
    switch (parameter) {
    case M_MMAP_THRESHOLD:
        return set_threshold(bytes);
    case M_MMAP_MAX:
        return set_maps(value);
    case M_TRIM_THRESHOLD:
        return set_trim(bytes);
    case M_TOP_PAD:
        return set_pad(value);
    case M_PERTURB:
        return set_perturb(value);
    case M_ARENA_MAX:    // all threads share one region, the least that can be asked for;
    case M_ARENA_TEST:   // there is nothing to limit later;
    case M_CHECK_ACTION: // misuse ends the program, as in glibc since 2.26
        return 1;
    case M_MXFAST: // there are no fast bins
        return value >= 0 && value <= FAST_BYTES_MAX;
    default:
        return 0;
    }
}
