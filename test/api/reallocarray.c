/* reallocarray.c - reallocarray(3). */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/harness.h"

TEST(reallocarray_that_overflows_fails_and_keeps_the_block)
{
    char *block = malloc(100);
    REQUIRE(block != NULL);
    block_fill(block, 100, 3);
    const size_t pairs[][2] = {
        {SIZE_MAX, 2}, {SIZE_MAX / 2 + 1, 2}, {(size_t)1 << 32, (size_t)1 << 32}};
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        errno = 0;
        REQUIRE(reallocarray(block, opaque_size(pairs[i][0]), opaque_size(pairs[i][1])) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
    }
    REQUIRE(block_holds(block, 100, 3));
    free(block);
}

TEST(reallocarray_multiplies_its_arguments)
{
    char *block = reallocarray(NULL, 300, 7);
    REQUIRE(block != NULL);
    block_fill(block, 2100, 4);
    block = reallocarray(block, 3000, 70);
    REQUIRE(block != NULL);
    REQUIRE(block_holds(block, 2100, 4));
    free(block);
}

TEST(reallocarray_to_zero_frees_and_returns_null)
{
    void *block = malloc(100);
    REQUIRE(block != NULL);
    REQUIRE(reallocarray(block, opaque_size(0), 8) == NULL);
    block = malloc(100);
    REQUIRE(block != NULL);
    REQUIRE(reallocarray(block, 8, opaque_size(0)) == NULL);
}
