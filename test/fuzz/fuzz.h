/* fuzz.h - what the fuzzers share: one function that libFuzzer calls, and a claim that ends it. */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define REQUIRE(condition) ((condition) ? (void)0 : __builtin_trap())

/* The input as a stream of choices; zeros behind its end. */
struct choices {
    const uint8_t *at, *end;
};

static inline uint32_t choose(struct choices *from, unsigned bytes)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes && from->at < from->end; i++) {
        value |= (uint32_t)*from->at++ << (8 * i);
    }
    return value;
}

#endif
