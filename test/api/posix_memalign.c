/* posix_memalign.c - POSIX.1-2008 and posix_memalign(3). */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/harness.h"

TEST(posix_memalign_aligns_up_to_16_mib)
{
    for (size_t alignment = sizeof(void *); alignment <= 16 * MIB; alignment *= 2) {
        for (size_t i = 0; i < g_tier_size_count; i += 2) {
            void *block = NULL;
            REQUIRE_EQUAL(posix_memalign(&block, alignment, g_tier_sizes[i]), 0);
            REQUIRE(block != NULL);
            REQUIRE(block_is_aligned(block, alignment));
            block_fill(block, g_tier_sizes[i], 2);
            REQUIRE(block_holds(block, g_tier_sizes[i], 2));
            free(block);
        }
    }
}

TEST(posix_memalign_blocks_do_not_overlap)
{
    enum { COUNT = 100, BYTES = 777 };
    for (size_t alignment = 16; alignment <= 64 * KIB; alignment *= 2) {
        void *blocks[COUNT];
        for (unsigned i = 0; i < COUNT; i++) {
            REQUIRE_EQUAL(posix_memalign(&blocks[i], alignment, BYTES), 0);
            block_fill(blocks[i], BYTES, i);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            REQUIRE(block_holds(blocks[i], BYTES, i));
            free(blocks[i]);
        }
    }
}

TEST(posix_memalign_refuses_bad_alignments_and_keeps_the_pointer)
{
    const size_t alignments[] = {0, 1, 2, 3, 4, 7, 12, 24, 48, 4095, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(alignments); i++) {
        void *block = &block;
        REQUIRE_EQUAL(posix_memalign(&block, opaque_size(alignments[i]), 64), EINVAL);
        REQUIRE(block == &block);
    }
}

TEST(posix_memalign_out_of_memory_keeps_the_pointer)
{
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX};
    for (size_t alignment = 16; alignment <= MIB; alignment *= 16) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            void *block = &block;
            REQUIRE_EQUAL(posix_memalign(&block, alignment, opaque_size(sizes[i])), ENOMEM);
            REQUIRE(block == &block);
        }
    }
}

/* POSIX leaves it open; programs for glibc print it with %m, and so do glibc's own tests. */
TEST(posix_memalign_out_of_memory_sets_errno_as_glibc_does)
{
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX,
                            (size_t)1 << 60};
    for (size_t alignment = sizeof(void *); alignment != 0; alignment *= 2) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            void *block = &block;
            errno = 0;
            REQUIRE_EQUAL(posix_memalign(&block, alignment, opaque_size(sizes[i])), ENOMEM);
            REQUIRE_EQUAL(errno, ENOMEM);
        }
    }
}

TEST(posix_memalign_keeps_errno_else)
{
    void *block = NULL;
    errno = 77;
    REQUIRE_EQUAL(posix_memalign(&block, opaque_size(24), 64), EINVAL);
    REQUIRE_EQUAL(errno, 77);
    for (size_t i = 0; i < g_tier_size_count; i++) {
        REQUIRE_EQUAL(posix_memalign(&block, 64, g_tier_sizes[i]), 0);
        free(block);
    }
    REQUIRE_EQUAL(errno, 77);
}

TEST(posix_memalign_of_zero_bytes_gives_a_freeable_pointer)
{
    for (size_t alignment = sizeof(void *); alignment <= 64 * KIB; alignment *= 2) {
        void *block = NULL;
        REQUIRE_EQUAL(posix_memalign(&block, alignment, 0), 0);
        REQUIRE(block_is_aligned(block, alignment));
        free(block);
    }
}
