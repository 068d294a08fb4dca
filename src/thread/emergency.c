/* emergency.c - a bump allocator for the moments when nothing else may be touched.
 *
 * Owns:       one static area.
 * Threads:    any, also signal handlers.
 * Locks:      none: one fetch-add per block.
 * Invariants: EMERGENCY-1  the 16 bytes before a block hold its size.
 */
#include "thread/emergency.h"

#include "base/bits.h"
#include "base/config.h"

#include <stdatomic.h>
#include <stdint.h>

#define AREA_BYTES (1024UL * 1024) // untouched pages cost nothing

static struct {
    _Atomic(size_t) used; // bytes
    char area[AREA_BYTES] __attribute__((aligned(BLOCK_ALIGN_BYTES)));
} g_emergency;

void *emergency_take(size_t bytes, size_t alignment)
{
    if (bytes > AREA_BYTES || alignment > AREA_BYTES) {
        return NULL;
    }
    size_t slack = max_size(alignment, BLOCK_ALIGN_BYTES);
    size_t whole = align_up(bytes + slack + BLOCK_ALIGN_BYTES, BLOCK_ALIGN_BYTES);
    size_t at = atomic_fetch_add_explicit(&g_emergency.used, whole, memory_order_relaxed);
    if (at > AREA_BYTES || AREA_BYTES - at < whole) {
        return NULL;
    }
    char *start = g_emergency.area + at + BLOCK_ALIGN_BYTES;
    char *block = start + (align_up((uintptr_t)start, slack) - (uintptr_t)start);
    *(size_t *)(void *)(block - BLOCK_ALIGN_BYTES) = bytes; // EMERGENCY-1
    return block;
}

bool emergency_is_inside(const void *ptr)
{
    return (uintptr_t)ptr - (uintptr_t)g_emergency.area < AREA_BYTES;
}

size_t emergency_usable_bytes(const void *ptr)
{
    return *(const size_t *)(const void *)((const char *)ptr - BLOCK_ALIGN_BYTES);
}
