/* h10_walled_tables.c - others map what is right behind our tables: memory can still be had. */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "support/blocks.h"
#include "support/harness.h"

enum { TABLES_MAX = 64, BLOCKS = 20000, BYTES = 1000, PAGE = 4096 };

/* Our tables lie between 2^44 and 2^46, where the kernel puts nothing by itself. */
static void wall_tables(void)
{
    static uintptr_t ends[TABLES_MAX];
    static char line[512];
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    REQUIRE(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL && count < TABLES_MAX) {
        uintptr_t start = 0;
        REQUIRE(sscanf(line, "%zx-%zx", &start, &ends[count]) == 2);
        count += start >= (uintptr_t)1 << 44 && start < (uintptr_t)1 << 46;
    }
    fclose(maps);
    REQUIRE(!harness_has_library() || count >= 3);
    for (size_t i = 0; i < count; i++) {
        mmap((void *)ends[i], PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
             -1, 0);
    }
}

TEST(blocks_of_all_sizes_are_had_behind_a_wall)
{
    static char *blocks[BLOCKS];
    free(malloc(1));
    wall_tables();
    for (unsigned i = 0; i < BLOCKS; i++) {
        size_t bytes = i % 100 == 0 ? 40000 : BYTES;
        blocks[i] = malloc(bytes);
        REQUIRE(blocks[i] != NULL);
        block_fill(blocks[i], bytes, i);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        size_t bytes = i % 100 == 0 ? 40000 : BYTES;
        REQUIRE(malloc_usable_size(blocks[i]) >= bytes);
        REQUIRE(block_holds(blocks[i], bytes, i));
        free(blocks[i]);
    }
    void *aligned = NULL;
    REQUIRE_EQUAL(posix_memalign(&aligned, 64, BYTES), 0);
    char *grown = realloc(malloc(10), 3000);
    REQUIRE(grown != NULL);
    REQUIRE(block_is_zero(calloc(1, BYTES), BYTES));
}
