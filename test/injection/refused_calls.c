/* refused_calls.c - the whole interface while system calls fail: NULL and ENOMEM, and nothing lost.
 *
 * The driver runs it with MYALLOC_FAIL_AFTER=n for many n; it must end well for each.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/blocks.h"
#include "support/harness.h"

enum { ROUNDS = 2 };

/* Few sizes and no long fills: the driver runs this more than a hundred times. */
static const size_t g_sizes[] = {24, 1000, 3000, 40000, 300000, 1500000};
enum { FILLED_BYTES_MAX = 8192 };

static size_t filled(size_t bytes)
{
    return bytes < FILLED_BYTES_MAX ? bytes : FILLED_BYTES_MAX;
}

/* A block that holds the pattern of SEED, or NULL with ENOMEM. */
static void *checked(void *block, size_t bytes, unsigned seed)
{
    if (block == NULL) {
        REQUIRE_EQUAL(errno, ENOMEM);
        return NULL;
    }
    block_fill(block, filled(bytes), seed);
    return block;
}

static void *checked_aligned(size_t alignment, size_t bytes, unsigned seed)
{
    void *block = NULL;
    int error = posix_memalign(&block, alignment, bytes);
    REQUIRE(error == 0 || error == ENOMEM);
    if (error == 0) {
        REQUIRE(block_is_aligned(block, alignment));
        block_fill(block, filled(bytes), seed);
    }
    return block;
}

static void *checked_zeroed(size_t bytes, unsigned seed)
{
    void *block = calloc(1, bytes);
    REQUIRE(block == NULL || block_is_zero(block, bytes));
    return checked(block, bytes, seed);
}

static void *grown(void *block, size_t bytes, unsigned seed)
{
    if (block == NULL) {
        return NULL;
    }
    REQUIRE(block_holds(block, filled(bytes), seed));
    void *moved = realloc(block, bytes * 2);
    if (moved == NULL) {
        REQUIRE_EQUAL(errno, ENOMEM);
        REQUIRE(block_holds(block, filled(bytes), seed));
        return block;
    }
    REQUIRE(block_holds(moved, filled(bytes), seed));
    return moved;
}

static void use_all_tiers(void)
{
    void *blocks[3][COUNT_OF(g_sizes)];
    for (unsigned i = 0; i < COUNT_OF(g_sizes); i++) {
        size_t bytes = g_sizes[i];
        blocks[0][i] = grown(checked(malloc(bytes), bytes, i), bytes, i);
        blocks[1][i] = checked_zeroed(bytes, i);
        blocks[2][i] = checked_aligned((size_t)64 << i % 8, bytes, i);
    }
    (void)malloc_trim(0);
    for (unsigned i = 0; i < COUNT_OF(g_sizes); i++) {
        for (unsigned kind = 0; kind < 3; kind++) {
            void *block = blocks[kind][i];
            REQUIRE(block == NULL || block_holds(block, filled(g_sizes[i]), i));
            errno = 77;
            free(block);
            REQUIRE_EQUAL(errno, 77);
        }
    }
}

static void *use_in_thread(void *unused)
{
    use_all_tiers();
    return unused;
}

TEST(refused_system_calls_lose_nothing)
{
    for (int round = 0; round < ROUNDS; round++) {
        use_all_tiers();
        pthread_t thread;
        if (pthread_create(&thread, NULL, use_in_thread, NULL) == 0) {
            pthread_join(thread, NULL);
        }
    }
}
