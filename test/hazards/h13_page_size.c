/* h13_page_size.c - nothing takes pages of 4 KiB for granted. The groups page16k and page64k run
 * this and all other suites on builds that believe in larger pages. */
#include <malloc.h>
#include <stdlib.h>

#include "support/blocks.h"
#include "support/harness.h"

TEST(valloc_and_pvalloc_are_aligned_to_the_page_of_the_system)
{
    size_t page = harness_page_bytes();
    for (size_t bytes = 1; bytes < 4 * page; bytes = bytes * 3 + 1) {
        void *block = valloc(bytes);
        void *whole = pvalloc(bytes);
        REQUIRE(block_is_aligned(block, page));
        REQUIRE(block_is_aligned(whole, page));
        REQUIRE(malloc_usable_size(whole) >= (bytes + page - 1) / page * page);
        free(block);
        free(whole);
    }
}

/* A purge of half a page would give back what stands in the other half. */
TEST(giving_pages_back_never_cuts_into_neighbours)
{
    enum { COUNT = 4000 };
    static void *blocks[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        size_t bytes = 1 + (i * 2654435761u) % 20000;
        blocks[i] = malloc(bytes);
        block_fill(blocks[i], bytes, i);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        if (i / 7 % 2 == 0) {
            free(blocks[i]);
        }
    }
    (void)malloc_trim(0);
    for (unsigned i = 0; i < COUNT; i++) {
        size_t bytes = 1 + (i * 2654435761u) % 20000;
        if (i / 7 % 2 != 0) {
            REQUIRE(block_holds(blocks[i], bytes, i));
            free(blocks[i]);
        }
    }
}
