/* refused_pools.c - pools, the walk and mapped files while system calls fail: NULL and an errno,
 * and nothing lost. As refused_calls.c, and by the same driver. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/extensions.h"
#include "support/harness.h"

enum { BLOCKS = 400 };

static void use_pool(size_t fixed)
{
    char *blocks[BLOCKS] = {0};
    struct myalloc_pool *pool = myalloc_pool_create(fixed, 0);
    if (pool == NULL) {
        REQUIRE_EQUAL(errno, ENOMEM);
        return;
    }
    for (unsigned i = 0; i < 2 * BLOCKS; i++) {
        unsigned at = i % BLOCKS;
        size_t bytes = fixed != 0 ? fixed : 1 + at * 200;
        if (blocks[at] != NULL) {
            REQUIRE(block_holds(blocks[at], bytes, at));
            myalloc_pool_free(pool, blocks[at]);
        }
        blocks[at] = fixed == 0 && at % 4 == 0 ? myalloc_pool_alloc_aligned(pool, 4096, bytes)
                                               : myalloc_pool_alloc(pool, bytes);
        if (blocks[at] != NULL) {
            block_fill(blocks[at], bytes, at);
        } else {
            REQUIRE_EQUAL(errno, ENOMEM);
        }
    }
    myalloc_pool_reset(pool);
    myalloc_pool_destroy(pool);
}

static int count(const struct myalloc_block *block, void *blocks)
{
    REQUIRE(block->bytes != 0);
    ++*(size_t *)blocks;
    return 0;
}

static void use_file(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/refused_pools.%d", getpid());
    size_t bytes = 5000;
    char *map = myalloc_map_file(path, &bytes, MYALLOC_MAP_WRITE);
    if (map == NULL) {
        REQUIRE(errno != 0);
    } else {
        block_fill(map, 5000, 1);
        char *grown = myalloc_map_grow(map, 300000);
        map = grown != NULL ? grown : map;
        REQUIRE(block_holds(map, 5000, 1));
        bytes = 100;
        char *part = myalloc_map_part(path, 4900, &bytes, 0);
        REQUIRE(part != NULL ? memcmp(part, map + 4900, 100) == 0 : errno != 0);
        REQUIRE_EQUAL(myalloc_unmap_file(part), part != NULL ? 0 : -1);
        REQUIRE_EQUAL(myalloc_unmap_file(map), 0);
    }
    (void)unlink(path);
}

TEST(refused_system_calls_lose_nothing)
{
    ONLY_LIBRARY();
    use_pool(0);
    use_pool(2000);
    use_file();
    size_t blocks = 0;
    int result = myalloc_walk(count, &blocks);
    REQUIRE(result == 0 || (result == -1 && errno == ENOMEM));
}
