/* canary.h - canaries after blocks in hardened mode, to detect overflows.
 *
 * A canary is a word derived from the address of the block and a secret of the process. Its bytes
 * repeat by address, so that it may begin anywhere. The top bit of each is set: neither text nor a
 * zero written over a byte can match it. But the byte right after the block is zero: a string
 * whose terminator was overwritten ends there and leaks no canary.
 */
#ifndef HARDENED_CANARY_H
#define HARDENED_CANARY_H

#include "base/bits.h"
#include "base/check.h"
#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CANARY_BYTES 8 // the minimum; also those at the end of the slot or page

extern HIDDEN uint64_t g_canary_secret; // [const] once hardened mode has started

static inline uint64_t canary_word(const void *ptr)
{
    uint64_t x = ((uintptr_t)ptr ^ g_canary_secret) * 0x9e3779b97f4a7c15ULL;
    return (x ^ (x >> 32)) | 0x8080808080808080ULL;
}

static inline uint64_t canary_load(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

// The canary word rotated for a load or store of eight bytes at `at`.
static inline uint64_t canary_turned(uint64_t word, const char *at)
{
    unsigned turn = ((uintptr_t)at & 7) * 8;
    return word >> turn | word << ((64 - turn) & 63);
}

// The word with its first byte in memory set to the zero after the block.
static inline uint64_t canary_ended(uint64_t turned)
{
    const char zero = 0;
    memcpy(&turned, &zero, sizeof zero);
    return turned;
}

// True if each byte is zero or that of the canary: no overflow, though the owner may be writing it.
static inline bool canary_is_partly(uint64_t word, uint64_t canary)
{
    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t byte = (word >> i) & 0xff;
        if (byte != 0 && byte != ((canary >> i) & 0xff)) {
            return false;
        }
    }
    return true;
}

// Writes the canary to the `bytes` (at least CANARY_BYTES) from `end` on, but only to the first
// `most` of them (a multiple of 8) and to the last eight, which end at a multiple of 8.
static inline void canary_write(uint64_t word, char *end, size_t bytes, size_t most)
{
    uint64_t turned = canary_turned(word, end);
    uint64_t first = canary_ended(turned);
    for (size_t i = 8; UNLIKELY(i < most) && i + 8 <= bytes; i += 8) {
        memcpy(end + i, &turned, sizeof turned);
    }
    memcpy(end + bytes - 8, &word, sizeof word);
    memcpy(end, &first, sizeof first); // last: it may be the same word, or overlap with it
}

// True when everything that canary_write wrote is intact.
static inline bool canary_is_whole(uint64_t word, const char *end, size_t bytes, size_t most)
{
    uint64_t turned = canary_turned(word, end);
    uint64_t last = LIKELY(bytes != 8) ? word : canary_ended(word);
    uint64_t wrong =
        (canary_load(end + bytes - 8) ^ last) | (canary_load(end) ^ canary_ended(turned));
    for (size_t i = 8; UNLIKELY(i < most) && i + 8 <= bytes; i += 8) {
        wrong |= canary_load(end + i) ^ turned;
    }
    return wrong == 0;
}

// Two words, compared at once.
typedef uint64_t canary_pair __attribute__((vector_size(16), may_alias));

// Both are multiples of 16; bytes: not 0.
static inline bool is_all_zero(const char *at, size_t bytes)
{
    ASSERT(bytes != 0);
    ASSERT(((uintptr_t)at | bytes) % sizeof(canary_pair) == 0);
    const canary_pair *pair = (const canary_pair *)(const void *)at;
    const canary_pair *end = (const canary_pair *)(const void *)(at + bytes);
    canary_pair any = *pair++;
    for (; pair != end; pair++) {
        any |= *pair;
    }
    return (any[0] | any[1]) == 0;
}

#endif
