/* h10_maps_exhausted.c - the program has used up all mappings that the kernel allows it: what needs
 * no new one is served, the rest is refused, and nothing is lost. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "support/blocks.h"
#include "support/harness.h"

enum { PAGES_MAX = 1 << 21, BLOCKS = 56, MANY = 20000 };

static char *g_pages;
static void *g_many[MANY];

/* Every other page gets another protection: each is a mapping. False where the limit is far away.
 */
static bool exhaust_mappings(void)
{
    g_pages = mmap(NULL, (size_t)PAGES_MAX * 4096, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(g_pages != MAP_FAILED);
    for (size_t i = 0; i < PAGES_MAX; i += 2) {
        if (mprotect(g_pages + i * 4096, 4096, PROT_READ) != 0) {
            return true;
        }
    }
    return false;
}

static void allocate_until_refused(void)
{
    size_t count = 0;
    while (count < MANY && (g_many[count] = malloc(5 * MIB)) != NULL) {
        count++;
    }
    REQUIRE(count == MANY || errno == ENOMEM);
    for (size_t i = 0; i < count; i++) {
        free(g_many[i]);
    }
}

TEST(without_mappings_left_nothing_is_lost)
{
    void *blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        size_t bytes = g_tier_sizes[i % g_tier_size_count];
        blocks[i] = malloc(bytes);
        block_fill(blocks[i], bytes, i);
    }
    if (!exhaust_mappings()) {
        return; // 2 million mappings and no end: this limit was lifted here
    }
    allocate_until_refused();
    for (unsigned i = 0; i < BLOCKS; i++) {
        size_t bytes = g_tier_sizes[i % g_tier_size_count];
        REQUIRE(block_holds(blocks[i], bytes, i));
        void *grown = realloc(blocks[i], bytes * 3);
        blocks[i] = grown != NULL ? grown : blocks[i];
        REQUIRE(block_holds(blocks[i], bytes, i));
    }
    (void)malloc_trim(0);
    munmap(g_pages, (size_t)PAGES_MAX * 4096);
    for (unsigned i = 0; i < BLOCKS; i++) {
        REQUIRE(block_holds(blocks[i], g_tier_sizes[i % g_tier_size_count], i));
        free(blocks[i]);
    }
    free(malloc(5 * MIB));
}

/* Where large blocks usually have mappings of their own, memory that is there still serves them. */
TEST(without_mappings_left_free_memory_serves_large_blocks)
{
    enum { HELD = 100, WANTED = 10 };
    void *held[HELD];
    void *wanted[WANTED];
    for (unsigned i = 0; i < HELD; i++) {
        held[i] = malloc(1000000);
        REQUIRE(held[i] != NULL);
    }
    if (!exhaust_mappings()) {
        return;
    }
    for (unsigned i = 0; i < HELD - 1; i++) { // the last one keeps the break where it is
        free(held[i]);
    }
    for (unsigned i = 0; i < WANTED; i++) {
        wanted[i] = malloc(5 * MIB);
        REQUIRE(wanted[i] != NULL);
        block_fill(wanted[i], 5 * MIB, i);
    }
    munmap(g_pages, (size_t)PAGES_MAX * 4096);
    for (unsigned i = 0; i < WANTED; i++) {
        REQUIRE(block_holds(wanted[i], 5 * MIB, i));
        free(wanted[i]);
    }
    free(held[HELD - 1]);
}
