/* aligned_alloc.c - C17 7.22.3.1 and aligned_alloc(3). */
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/blocks.h"
#include "support/harness.h"

TEST(aligned_alloc_aligns_and_the_block_is_writable)
{
    for (size_t alignment = 1; alignment <= 16 * MIB; alignment *= 2) {
        size_t bytes = alignment < 64 ? 64 : alignment;
        void *block = aligned_alloc(alignment, bytes);
        REQUIRE(block != NULL);
        REQUIRE(block_is_aligned(block, alignment));
        block_fill(block, bytes, 1);
        REQUIRE(block_holds(block, bytes, 1));
        free(block);
    }
}

TEST(aligned_alloc_takes_sizes_that_are_no_multiple_of_the_alignment)
{
    void *block = aligned_alloc(4096, 100);
    REQUIRE(block != NULL);
    REQUIRE(block_is_aligned(block, 4096));
    free(block);
}

/* glibc rounded them up until 2.37; the library does as the one that runs. */
TEST(aligned_alloc_treats_alignments_that_are_no_power_of_two_as_libc_does)
{
    const char *version = gnu_get_libc_version();
    bool refuses = strtol(version, NULL, 10) > 2 || strtol(strchr(version, '.') + 1, NULL, 10) > 37;
    const size_t alignments[] = {0, 3, 24, 4095, 5000};
    for (size_t i = 0; i < COUNT_OF(alignments); i++) {
        errno = 0;
        char *block = aligned_alloc(opaque_size(alignments[i]), 64);
        REQUIRE_EQUAL(block == NULL, refuses);
        REQUIRE_EQUAL(errno, refuses ? EINVAL : 0);
        REQUIRE(refuses || (uintptr_t)block % (alignments[i] > 4000 ? 4096 : 16) == 0);
        free(block);
    }
    errno = 0;
    REQUIRE(aligned_alloc(opaque_size(SIZE_MAX), 64) == NULL);
    REQUIRE_EQUAL(errno, EINVAL);
}

TEST(aligned_alloc_above_ptrdiff_max_fails_with_enomem)
{
    const size_t sizes[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096};
    for (size_t alignment = 16; alignment <= MIB; alignment *= 16) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            errno = 0;
            REQUIRE(aligned_alloc(alignment, opaque_size(sizes[i])) == NULL);
            REQUIRE_EQUAL(errno, ENOMEM);
        }
    }
}
