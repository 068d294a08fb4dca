/* h23_many_blocks.c - more blocks than the kernel allows mappings; limits that half was freed
 * under. */
#include <stdlib.h>
#include <sys/resource.h>

#include "support/harness.h"
#include "support/process.h"

enum { BLOCK_COUNT = 70000, BLOCK_BYTES = 200000, LIMITED_COUNT_MAX = 100000 };

static char *g_blocks[LIMITED_COUNT_MAX];

TEST(seventy_thousand_blocks_of_200_kb_are_live)
{
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        g_blocks[i] = malloc(BLOCK_BYTES);
        REQUIRE(g_blocks[i] != NULL);
    }
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        free(g_blocks[i]);
    }
}

/* Fills the address space with blocks of BYTES; returns how many fit. */
static size_t fill_address_space(size_t bytes)
{
    size_t count = 0;
    while (count < LIMITED_COUNT_MAX && (g_blocks[count] = malloc(bytes)) != NULL) {
        count++;
    }
    return count;
}

static void require_room_after_half_is_freed(size_t bytes, size_t other_bytes)
{
    const struct rlimit limit = {256 * MIB, 256 * MIB};
    REQUIRE_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
    size_t count = fill_address_space(bytes);
    REQUIRE(count * bytes > 100 * MIB);
    for (size_t i = count / 2; i < count; i++) {
        free(g_blocks[i]);
    }
    void *other = malloc(other_bytes);
    REQUIRE(other != NULL);
    free(other);
}

TEST(a_larger_block_fits_after_half_of_a_full_address_space_was_freed)
{
    require_room_after_half_is_freed(10000, 20 * MIB);
}

TEST(a_smaller_block_fits_after_half_of_a_full_address_space_was_freed)
{
    require_room_after_half_is_freed(5 * MIB, 3000);
}

TEST(a_block_of_the_middle_fits_after_half_of_a_full_address_space_was_freed)
{
    require_room_after_half_is_freed(200000, 900000);
}
