/* size_class.h - request bytes <-> class <-> block bytes: pure functions and constant tables.
 *
 * Classes 0 to 31 are small (to 1 KiB), 32 to 60 medium (to 32 KiB), 61 to 76 large (to 256 KiB).
 * Up to 4 KiB, classes are an eighth of a doubling apart: average waste 4 %, against 8 % for
 * quarters. Above that quarters, and fewer from 128 KiB on: pages beyond the requested bytes stay
 * untouched, and fewer classes mean fewer sparsely used slabs.
 */
#ifndef CORE_SIZE_CLASS_H
#define CORE_SIZE_CLASS_H

#include "base/bits.h"
#include "base/check.h"
#include "base/config.h"

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct size_class {
    uint32_t block_bytes;
    uint16_t slab_chunks;
    uint16_t blocks;     // in one slab
    uint64_t reciprocal; // ceil(2^40 / block_bytes): division by multiplication
};

// Indexed by request bytes; 1025 bytes so that the fast path needs neither shift nor round-up.
extern HIDDEN const uint8_t g_small_class_of[SMALL_BYTES_MAX + 1];
// Indexed by (request bytes - 1) / 128: every medium class is a multiple of that.
#define MEDIUM_UNIT_SHIFT 7
extern HIDDEN const uint8_t g_medium_class_of[MEDIUM_BYTES_MAX >> MEDIUM_UNIT_SHIFT];
extern HIDDEN const struct size_class g_size_classes[CLASSES];

static inline unsigned size_class_of_small(size_t bytes)
{
    ASSERT(bytes <= SMALL_BYTES_MAX);
    return g_small_class_of[bytes];
}

// SMALL_BYTES_MAX < bytes <= MEDIUM_BYTES_MAX.
static inline unsigned size_class_of_medium(size_t bytes)
{
    ASSERT(bytes > SMALL_BYTES_MAX);
    ASSERT(bytes <= MEDIUM_BYTES_MAX);
    return g_medium_class_of[(bytes - 1) >> MEDIUM_UNIT_SHIFT];
}

// MEDIUM_BYTES_MAX < bytes <= SLAB_BYTES_MAX.
static inline unsigned size_class_of_large(size_t bytes)
{
    ASSERT(bytes > MEDIUM_BYTES_MAX);
    ASSERT(bytes <= SLAB_BYTES_MAX);
    size_t unit = (bytes - 1) >> (CHUNK_SHIFT - 1); // 4 to 7: a class each; then one for two
    return MEDIUM_END + (unsigned)(unit < 8 ? unit - 4 : unit / 2);
}

// bytes <= SLAB_BYTES_MAX.
static inline unsigned size_class_of(size_t bytes)
{
    ASSERT(bytes <= SLAB_BYTES_MAX);
    if (bytes <= SMALL_BYTES_MAX) {
        return size_class_of_small(bytes);
    }
    return bytes <= MEDIUM_BYTES_MAX ? size_class_of_medium(bytes) : size_class_of_large(bytes);
}

// The smallest class whose blocks hold `bytes` and all lie at multiples of `alignment` (a power of
// two up to a chunk); CLASSES if there is none.
unsigned size_class_of_aligned(size_t bytes, size_t alignment);

static inline size_t size_class_bytes(unsigned sc)
{
    ASSERT(sc < CLASSES);
    return g_size_classes[sc].block_bytes;
}

static inline bool size_class_is_small(unsigned sc)
{
    ASSERT(sc < CLASSES);
    return sc < SMALL_CLASSES;
}

// True if a slab of the class has just one block.
static inline bool size_class_is_single(unsigned sc)
{
    return g_size_classes[sc].blocks == 1;
}

// The index of the block that holds byte `offset` of a slab.
static inline unsigned size_class_block_index(unsigned sc, size_t offset)
{
    // Exact for offset < 2^18 and blocks to 2^18: offset * error < 2^18, less than a 2^18th of
    // 2^40.
    return (unsigned)((offset * g_size_classes[sc].reciprocal) >> 40);
}

#endif
