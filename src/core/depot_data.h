/* depot_data.h - the depot of a size class. depot.c owns it; depot_look.c inspects it. */
#ifndef CORE_DEPOT_DATA_H
#define CORE_DEPOT_DATA_H

#include "base/check.h"
#include "base/compiler.h"
#include "base/config.h"
#include "base/lock.h"
#include "core/list.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEPOT_MAGAZINES 64U

struct ALIGNED(64) depot {
    struct lock lock;
    _Atomic(uint16_t) magazine_blocks; // [atomic] + 1; written under the lock; 0: not set yet
    uint32_t partial;                  // [lock: LOCK_DEPOT] first slab of the list; 0 none
    uint32_t empty;  // [lock: LOCK_DEPOT] slab with no block out, on the list; 0 none
    bool is_lean;    // [lock: LOCK_DEPOT] once it is not large, it keeps nothing until it grows
    uint8_t fetches; // [lock: LOCK_DEPOT] since is_lean was set
    uint32_t slabs;  // [lock: LOCK_DEPOT]
    uint32_t count;  // [lock: LOCK_DEPOT] magazines
    uint32_t low;    // [lock: LOCK_DEPOT] fewest magazines since the last sweep
    size_t blocks;   // [lock: LOCK_DEPOT] in magazines
    size_t out;      // [atomic] DEPOT-2; written under the lock
};
static_assert(sizeof(struct depot) == CACHE_LINE_BYTES, "one line a size class");

struct depots {
    struct depot of[CLASSES];
    _Atomic(size_t) share; // [atomic] see depot_set_slots; 0: not set
};
extern HIDDEN struct depots g_depot;

// [lock: LOCK_DEPOT] The last one of a class is the newest. Kept apart from g_depot, so that the
// latter stays within few pages in small programs.
extern HIDDEN list_word g_magazines[CLASSES][DEPOT_MAGAZINES];

static inline list_word *magazines_of(const struct depot *depot)
{
    ASSERT((size_t)(depot - g_depot.of) < CLASSES);
    return g_magazines[depot - g_depot.of];
}

#endif
