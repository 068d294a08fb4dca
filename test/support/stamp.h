/* stamp.h - blocks that know their size and who they are, at both ends. */
#ifndef TEST_SUPPORT_STAMP_H
#define TEST_SUPPORT_STAMP_H

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/harness.h"

#define STAMP_BYTES_MIN 16U

struct stamp {
    uint32_t bytes;
    uint32_t seed;
};

static inline void stamp_set(void *block, uint32_t bytes, uint32_t seed)
{
    struct stamp stamp = {bytes, seed};
    memcpy(block, &stamp, sizeof stamp);
    memcpy((char *)block + bytes - sizeof stamp, &stamp, sizeof stamp);
}

/* Fails the claim when somebody else wrote to the block; returns what it says. */
static inline struct stamp stamp_check(const void *block)
{
    struct stamp stamp;
    memcpy(&stamp, block, sizeof stamp);
    REQUIRE(stamp.bytes >= STAMP_BYTES_MIN && stamp.bytes <= 16 * MIB);
    REQUIRE(memcmp((const char *)block + stamp.bytes - sizeof stamp, &stamp, sizeof stamp) == 0);
    return stamp;
}

/* NULL only where malloc says so. */
static inline void *stamp_malloc(uint32_t bytes, uint32_t seed)
{
    void *block = malloc(bytes);
    if (block != NULL) {
        stamp_set(block, bytes, seed);
    }
    return block;
}

/* Also of NULL. */
static inline void stamp_free(void *block)
{
    if (block != NULL) {
        stamp_check(block);
        memset(block, 0, sizeof(struct stamp));
        free(block);
    }
}

static inline uint32_t stamp_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 33);
}

/* Mostly small, some to 2 KiB, few to 40 KiB. */
static inline uint32_t stamp_random_bytes(uint64_t *state)
{
    uint32_t random = stamp_random(state);
    uint32_t most = random % 64 == 0 ? 40000 : random % 8 == 0 ? 2000 : 250;
    return STAMP_BYTES_MIN + (random >> 6) % most;
}

#endif
