/* limit.c - the size from which a block is huge.
 *
 * Owns:       the limit.
 * Threads:    any.
 * Locks:      none.
 * Invariants: LIMIT-1  a fixed limit is changed by mallopt only; any other limit only rises.
 */
#include "pages/limit.h"

#include "pages/backing.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/config.h"

// Blocks that take turns at MANY must not change sides each time. Above MOST, mappings that do not
// touch each other would use up half of what the kernel allows a process (H10).
#define LONG_BLOCKS_MANY (CONFIG_TINY ? 8U : 4096U)
#define LONG_BLOCKS_FEW  (LONG_BLOCKS_MANY / 2)
#define LONG_BLOCKS_MOST (CONFIG_TINY ? 64U : 32768U)

static struct {
    _Atomic(size_t) bytes;       // [atomic] blocks of this size and more are always huge
    _Atomic(size_t) maps;        // [atomic] most huge blocks at a time
    _Atomic(size_t) long_blocks; // [atomic] huge ones and spans in use of HUGE_BYTES_MIN and more
    _Atomic(bool) is_fixed;      // [atomic] the program chose it
} g_limit = {.bytes = HUGE_BYTES_MIN, .maps = MAPS_USUAL};

_Atomic(bool) g_limit_has_many;
_Atomic(size_t) g_limit_slab_bytes =
    SLAB_BYTES_MAX < HUGE_BYTES_MIN ? SLAB_BYTES_MAX : HUGE_BYTES_MIN - 1;

void limit_set(size_t bytes)
{
    atomic_store_explicit(&g_limit.is_fixed, bytes != 0, memory_order_relaxed);
    atomic_store_explicit(&g_limit_has_many, false, memory_order_relaxed);
    size_t limit =
        bytes != 0 ? clamp_size(bytes, MEDIUM_BYTES_MAX + 1, LIMIT_BYTES_MAX) : HUGE_BYTES_MIN;
    ASSERT(limit > MEDIUM_BYTES_MAX); // what the fast paths serve is never huge
    atomic_store_explicit(&g_limit.bytes, limit, memory_order_relaxed);
    atomic_store_explicit(&g_limit_slab_bytes, min_size(limit - 1, SLAB_BYTES_MAX),
                          memory_order_relaxed);
}

size_t limit_bytes(void)
{
    size_t bytes = atomic_load_explicit(&g_limit.bytes, memory_order_relaxed);
    ASSERT(bytes > MEDIUM_BYTES_MAX);
    return bytes;
}

void limit_count(size_t old_bytes, size_t bytes)
{
    size_t more = (size_t)(bytes >= HUGE_BYTES_MIN) - (size_t)(old_bytes >= HUGE_BYTES_MIN);
    if (more == 0) { // else 1 or -1, modulo 2^64
        return;
    }
    size_t count =
        more + atomic_fetch_add_explicit(&g_limit.long_blocks, more, memory_order_relaxed);
    ASSERT((ptrdiff_t)count >= 0);
    bool is_fixed = atomic_load_explicit(&g_limit.is_fixed, memory_order_relaxed);
    size_t few = limit_has_many() ? LONG_BLOCKS_FEW : LONG_BLOCKS_MANY;
    bool has_many = !is_fixed && count > few && count < LONG_BLOCKS_MOST;
    if (has_many != limit_has_many()) {
        atomic_store_explicit(&g_limit_has_many, has_many, memory_order_relaxed);
    }
}

bool limit_raise(size_t bytes)
{
    ASSERT(bytes != 0);
    bool is_fixed = atomic_load_explicit(&g_limit.is_fixed, memory_order_relaxed);
    bool may_rise = !is_fixed && !backing_is_on() && bytes < LARGE_BYTES_LIMIT;
    if (may_rise && bytes >= limit_bytes()) {
        atomic_store_explicit(&g_limit.bytes, bytes + 1, memory_order_relaxed); // LIMIT-1
    }
    return bytes < limit_bytes() && !limit_has_many();
}

void limit_set_maps(size_t count)
{
    ASSERT(count <= INT32_MAX);
    atomic_store_explicit(&g_limit.maps, count, memory_order_relaxed);
}

size_t limit_maps(void)
{
    return atomic_load_explicit(&g_limit.maps, memory_order_relaxed);
}
