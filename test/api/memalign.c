/* memalign.c - memalign(3). */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/harness.h"

TEST(memalign_aligns_every_size)
{
    for (size_t alignment = 1; alignment <= 16 * KIB; alignment *= 2) {
        for (size_t size = 0; size <= 2000; size += 37) {
            void *block = memalign(alignment, size);
            REQUIRE(block != NULL);
            REQUIRE(block_is_aligned(block, alignment < 16 ? 16 : alignment));
            block_fill(block, size, 1);
            free(block);
        }
    }
}

TEST(memalign_of_zero_bytes_is_aligned_and_unique)
{
    for (size_t alignment = 16; alignment <= MIB; alignment *= 4) {
        void *first = memalign(alignment, 0);
        void *second = memalign(alignment, 0);
        REQUIRE(first != NULL);
        REQUIRE(second != NULL);
        REQUIRE(first != second);
        REQUIRE(block_is_aligned(first, alignment));
        REQUIRE(block_is_aligned(second, alignment));
        free(first);
        free(second);
    }
}

TEST(memalign_rounds_odd_alignments_up_to_a_power_of_two)
{
    void *block = memalign(opaque_size(48), 100);
    REQUIRE(block != NULL);
    REQUIRE(block_is_aligned(block, 64));
    free(block);
}

TEST(memalign_refuses_an_alignment_above_half_the_address_space)
{
    errno = 0;
    REQUIRE(memalign(opaque_size(SIZE_MAX / 2 + 2), 1) == NULL);
    REQUIRE_EQUAL(errno, EINVAL);
}

TEST(memalign_that_cannot_be_served_fails_with_enomem)
{
    errno = 0;
    REQUIRE(memalign(64, opaque_size(SIZE_MAX - 64)) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    errno = 0;
    REQUIRE(memalign(opaque_size((size_t)1 << 62), 1) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
}
