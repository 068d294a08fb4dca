/* emergency.c - a bump allocator for the moments when nothing else may be touched.
 *
 * Owns:       areas, mapped as such moments need them; blocks are never used again.
 * Threads:    any, also signal handlers.
 * Locks:      none: one fetch-add per block, one exchange per area.
 * Invariants: EMERGENCY-1  the 16 bytes before a block hold its size.
 *             EMERGENCY-2  an area stays, and leads to the one before it.
 */
#include "core/emergency.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/config.h"
#include "base/os.h"

#include <stdatomic.h>
#include <stdint.h>

#define AREA_BYTES (1024UL * 1024) // untouched pages cost nothing

struct area {
    struct area *before;  // [const] EMERGENCY-2
    size_t bytes;         // [const] all of it
    _Atomic(size_t) used; // [atomic] bytes, this structure included
};

#define AREA_HEAD_BYTES 64UL
static_assert(sizeof(struct area) <= AREA_HEAD_BYTES, "before the first block");

static _Atomic(struct area *) g_emergency; // the newest area

static struct area *newest(void)
{
    // acquire: pairs with the exchange in make_area
    return atomic_load_explicit(&g_emergency, memory_order_acquire);
}

// A new area behind `before`, which was the newest one; or what another thread made.
static struct area *make_area(struct area *before, size_t bytes)
{
    ASSERT(bytes % os_page_bytes() == 0);
    ASSERT(bytes > AREA_HEAD_BYTES);
    struct area *made = os_map(NULL, bytes);
    if (made == NULL) {
        return NULL;
    }
    made->before = before;
    made->bytes = bytes;
    atomic_init(&made->used, AREA_HEAD_BYTES);
    if (!atomic_compare_exchange_strong_explicit(&g_emergency, &before, made, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        os_unmap(made, bytes);
        return before;
    }
    return made;
}

static void *take_from(struct area *area, size_t bytes, size_t unit)
{
    ASSERT(is_pow2(unit));
    ASSERT(unit >= BLOCK_ALIGN_BYTES);
    size_t whole = align_up(bytes + unit + BLOCK_ALIGN_BYTES, BLOCK_ALIGN_BYTES);
    size_t at = atomic_fetch_add_explicit(&area->used, whole, memory_order_relaxed);
    if (at > area->bytes || area->bytes - at < whole) {
        return NULL;
    }
    char *start = (char *)area + at + BLOCK_ALIGN_BYTES;
    char *block = start + (align_up((uintptr_t)start, unit) - (uintptr_t)start);
    ASSERT((uintptr_t)block % unit == 0);
    ASSERT((size_t)(block - (char *)area) + bytes <= area->bytes);
    *(size_t *)(void *)(block - BLOCK_ALIGN_BYTES) = bytes; // EMERGENCY-1
    return block;
}

void *emergency_allocate(size_t bytes, size_t alignment)
{
    size_t unit = max_size(alignment, BLOCK_ALIGN_BYTES);
    if (bytes > EMERGENCY_BYTES_MAX || unit > EMERGENCY_BYTES_MAX) {
        return NULL;
    }
    ASSERT(is_pow2(unit));
    size_t most =
        align_up(max_size(AREA_BYTES, bytes + 2 * unit + AREA_HEAD_BYTES), os_page_bytes());
    struct area *area = newest();
    void *block = area != NULL ? take_from(area, bytes, unit) : NULL;
    while (block == NULL) {
        area = make_area(area, most);
        if (area == NULL) {
            return NULL;
        }
        block = take_from(area, bytes, unit);
    }
    return block;
}

bool emergency_is_inside(const void *ptr)
{
    for (const struct area *area = newest(); area != NULL; area = area->before) {
        // The first block has this structure and its size before it.
        size_t offset = (size_t)((const char *)ptr - (const char *)area);
        if (offset > AREA_HEAD_BYTES && offset < area->bytes) {
            return true;
        }
    }
    return false;
}

size_t emergency_usable_bytes(const void *ptr)
{
    ASSERT(emergency_is_inside(ptr));
    return *(const size_t *)(const void *)((const char *)ptr - BLOCK_ALIGN_BYTES);
}
