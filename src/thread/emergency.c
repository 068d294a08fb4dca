/* emergency.c - a bump allocator for the moments when nothing else may be touched.
 *
 * Owns:       one area, mapped when the first such moment comes.
 * Threads:    any, also signal handlers.
 * Locks:      none: one fetch-add per block.
 * Invariants: EMERGENCY-1  the 16 bytes before a block hold its size.
 */
#include "thread/emergency.h"

#include "base/bits.h"
#include "base/config.h"
#include "base/os.h"

#include <stdatomic.h>
#include <stdint.h>

#define AREA_BYTES (1024UL * 1024) // untouched pages cost nothing

static struct {
    _Atomic(char *) area;
    _Atomic(size_t) used; // bytes
} g_emergency;

static char *area_start(void)
{
    // acquire: pairs with the exchange in area_make
    return atomic_load_explicit(&g_emergency.area, memory_order_acquire);
}

static char *area_make(void)
{
    char *made = os_map(NULL, AREA_BYTES);
    char *expected = NULL;
    if (made != NULL &&
        !atomic_compare_exchange_strong_explicit(&g_emergency.area, &expected, made,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        os_unmap(made, AREA_BYTES); // another thread was faster
    }
    return area_start();
}

void *emergency_take(size_t bytes, size_t alignment)
{
    char *area = area_start() != NULL ? area_start() : area_make();
    if (area == NULL || bytes > AREA_BYTES || alignment > AREA_BYTES) {
        return NULL;
    }
    size_t unit = max_size(alignment, BLOCK_ALIGN_BYTES);
    size_t whole = align_up(bytes + unit + BLOCK_ALIGN_BYTES, BLOCK_ALIGN_BYTES);
    size_t at = atomic_fetch_add_explicit(&g_emergency.used, whole, memory_order_relaxed);
    if (at > AREA_BYTES || AREA_BYTES - at < whole) {
        return NULL;
    }
    char *start = area + at + BLOCK_ALIGN_BYTES;
    char *block = start + (align_up((uintptr_t)start, unit) - (uintptr_t)start);
    *(size_t *)(void *)(block - BLOCK_ALIGN_BYTES) = bytes; // EMERGENCY-1
    return block;
}

bool emergency_is_inside(const void *ptr)
{
    uintptr_t area = (uintptr_t)area_start();
    // The first block has its size before it.
    return area != 0 && (uintptr_t)ptr - area - BLOCK_ALIGN_BYTES < AREA_BYTES - BLOCK_ALIGN_BYTES;
}

size_t emergency_usable_bytes(const void *ptr)
{
    return *(const size_t *)(const void *)((const char *)ptr - BLOCK_ALIGN_BYTES);
}
