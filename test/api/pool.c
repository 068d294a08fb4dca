/* pool.c - myalloc_pool_*: what include/myalloc.h promises of pools. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/extensions.h"
#include "support/harness.h"

enum { MANY = 20000, ONE_CHUNK = 300, FIXED = 48 };

static void *g_blocks[MANY];

static struct myalloc_pool_stats stats_of(struct myalloc_pool *pool)
{
    struct myalloc_pool_stats stats;
    REQUIRE_EQUAL(myalloc_pool_stats(pool, &stats, sizeof stats), 0);
    return stats;
}

static struct myalloc_pool *create(size_t block_bytes, unsigned flags)
{
    struct myalloc_pool *pool = myalloc_pool_create(block_bytes, flags);
    REQUIRE(pool != NULL);
    REQUIRE_EQUAL(stats_of(pool).held, 0);
    return pool;
}

static void fill(struct myalloc_pool *pool, size_t count, size_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        g_blocks[i] = myalloc_pool_alloc(pool, bytes);
        REQUIRE(g_blocks[i] != NULL);
        REQUIRE(block_is_aligned(g_blocks[i], 16));
        block_fill(g_blocks[i], bytes, (unsigned)i);
    }
}

static void require_contents(size_t count, size_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        REQUIRE(block_holds(g_blocks[i], bytes, (unsigned)i));
    }
}

static void empty(struct myalloc_pool *pool, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        myalloc_pool_free(pool, g_blocks[i]);
    }
}

static void require_life(size_t block_bytes, unsigned flags)
{
    struct myalloc_pool *pool = create(block_bytes, flags);
    fill(pool, MANY, FIXED);
    require_contents(MANY, FIXED);
    struct myalloc_pool_stats full = stats_of(pool);
    REQUIRE_EQUAL(full.blocks, MANY);
    REQUIRE_EQUAL(full.used, MANY * FIXED);
    REQUIRE_EQUAL(full.block_bytes, block_bytes);
    REQUIRE(full.held >= full.used);
    REQUIRE(full.held <= full.used + full.used / 2);
    empty(pool, MANY);
    struct myalloc_pool_stats rest = stats_of(pool);
    REQUIRE_EQUAL(rest.blocks, 0);
    REQUIRE_EQUAL(rest.used, 0);
    REQUIRE_EQUAL(rest.used_peak, MANY * FIXED);
    REQUIRE_EQUAL(rest.chunks, 1);
    myalloc_pool_destroy(pool);
}

TEST(blocks_of_a_fixed_size_keep_their_contents_and_come_back)
{
    ONLY_LIBRARY();
    require_life(FIXED, 0);
    require_life(FIXED, MYALLOC_POOL_ONE_THREAD);
}

TEST(blocks_of_any_size_keep_their_contents_and_come_back)
{
    ONLY_LIBRARY();
    require_life(0, 0);
    require_life(0, MYALLOC_POOL_ONE_THREAD);
}

TEST(blocks_of_whole_cache_lines_begin_at_cache_lines)
{
    ONLY_LIBRARY();
    struct myalloc_pool *pool = create(192, 0);
    for (int i = 0; i < 5000; i++) {
        REQUIRE(block_is_aligned(myalloc_pool_alloc(pool, 192), 64));
    }
}

TEST(bad_arguments_fail_with_the_errno_that_is_told)
{
    ONLY_LIBRARY();
    errno = 0;
    REQUIRE(myalloc_pool_create(0, 6) == NULL);
    REQUIRE_EQUAL(errno, EINVAL);
    errno = 0;
    REQUIRE(myalloc_pool_create(SIZE_MAX, 0) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    struct myalloc_pool *fixed = create(40, 0);
    REQUIRE_EQUAL(stats_of(fixed).block_bytes, 48);
    REQUIRE(myalloc_pool_alloc(fixed, 48) != NULL);
    errno = 0;
    REQUIRE(myalloc_pool_alloc(fixed, 49) == NULL);
    REQUIRE_EQUAL(errno, EINVAL);
    struct myalloc_pool *any = create(0, 0);
    errno = 0;
    REQUIRE(myalloc_pool_alloc(any, SIZE_MAX) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    errno = 0;
    REQUIRE(myalloc_pool_alloc(any, (size_t)1 << 45) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    errno = 0;
    REQUIRE(myalloc_pool_alloc(any, 0) != NULL);
    myalloc_pool_free(any, NULL);
    myalloc_pool_destroy(NULL);
    REQUIRE_EQUAL(errno, 0);
    REQUIRE_EQUAL(myalloc_pool_stats(any, NULL, 8), -1);
    size_t first = 1;
    REQUIRE_EQUAL(myalloc_pool_stats(any, (struct myalloc_pool_stats *)&first, sizeof first), 0);
    REQUIRE_EQUAL(first, 0);
}

static char *aligned(struct myalloc_pool *pool, size_t alignment, size_t bytes)
{
    char *block = myalloc_pool_alloc_aligned(pool, alignment, bytes);
    REQUIRE(block != NULL);
    REQUIRE(block_is_aligned(block, alignment));
    return block;
}

TEST(aligned_blocks_of_any_size_keep_their_contents_and_come_back)
{
    ONLY_LIBRARY();
    static const size_t sizes[] = {0, 1, 100, 5000, 61000, 70000, 300000};
    struct myalloc_pool *pool = create(0, 0);
    size_t count = 0;
    size_t used = 0;
    for (size_t alignment = 1; alignment <= 4 * MIB; alignment *= 2) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            g_blocks[count] = aligned(pool, alignment, sizes[i]);
            block_fill(g_blocks[count], sizes[i], (unsigned)count);
            count++;
            used += sizes[i] == 0 ? 16 : (sizes[i] + 15) / 16 * 16;
        }
    }
    REQUIRE_EQUAL(stats_of(pool).used, used);
    REQUIRE_EQUAL(stats_of(pool).blocks, count);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(block_holds(g_blocks[i], sizes[i % COUNT_OF(sizes)], (unsigned)i));
        myalloc_pool_free(pool, g_blocks[i]);
    }
    REQUIRE_EQUAL(stats_of(pool).used, 0);
    REQUIRE_EQUAL(stats_of(pool).chunks, 1);
    REQUIRE_EQUAL(stats_of(pool).free_pieces, 1);
    myalloc_pool_destroy(pool);
}

TEST(what_lies_before_an_aligned_block_is_used)
{
    ONLY_LIBRARY();
    struct myalloc_pool *pool = create(0, 0);
    for (int i = 0; i < 10; i++) {
        (void)aligned(pool, 4096, 16);
    }
    struct myalloc_pool_stats first = stats_of(pool);
    REQUIRE_EQUAL(first.chunks, 1);
    size_t used = 0;
    while (stats_of(pool).chunks == 1) {
        used = stats_of(pool).used;
        REQUIRE(myalloc_pool_alloc(pool, 48) != NULL);
    }
    REQUIRE(used > first.held / 100 * 95);
    myalloc_pool_destroy(pool);
}

TEST(an_aligned_block_that_was_freed_is_found_again)
{
    ONLY_LIBRARY();
    struct myalloc_pool *pool = create(0, 0);
    (void)myalloc_pool_alloc(pool, 16);
    char *block = aligned(pool, 8192, 1000);
    size_t longest;
    while ((longest = stats_of(pool).longest_free) != 0) {
        REQUIRE(myalloc_pool_alloc(pool, longest < 65536 ? longest : 65536) != NULL);
    }
    myalloc_pool_free(pool, block);
    REQUIRE(aligned(pool, 8192, 1000) == block);
    REQUIRE_EQUAL(stats_of(pool).chunks, 1);
    myalloc_pool_destroy(pool);
}

TEST(blocks_of_a_fixed_size_begin_at_its_power_of_two)
{
    ONLY_LIBRARY();
    for (size_t bytes = 16; bytes <= 32768; bytes *= 2) {
        struct myalloc_pool *pool = create(bytes * 3, 0);
        size_t alignment = bytes < 4096 ? bytes : 4096;
        for (int i = 0; i < 200; i++) {
            REQUIRE(block_is_aligned(myalloc_pool_alloc(pool, 1), alignment));
            (void)aligned(pool, alignment, bytes * 3);
        }
        errno = 0;
        REQUIRE(myalloc_pool_alloc_aligned(pool, alignment * 2, 1) == NULL);
        REQUIRE_EQUAL(errno, EINVAL);
        myalloc_pool_destroy(pool);
    }
}

TEST(a_bad_alignment_fails_with_the_errno_that_is_told)
{
    ONLY_LIBRARY();
    struct myalloc_pool *pool = create(0, 0);
    static const size_t bad[] = {0, 3, 48, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        errno = 0;
        REQUIRE(myalloc_pool_alloc_aligned(pool, bad[i], 100) == NULL);
        REQUIRE_EQUAL(errno, EINVAL);
    }
    for (size_t i = 0; i < 2; i++) {
        errno = 0;
        REQUIRE(myalloc_pool_alloc_aligned(pool, (size_t)1 << (46 + 17 * i), 100) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
    }
    errno = 0;
    REQUIRE(myalloc_pool_alloc_aligned(pool, 64, SIZE_MAX) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE_EQUAL(stats_of(pool).held, 0);
    struct myalloc_pool *fixed = create(64, 0);
    errno = 0;
    REQUIRE(myalloc_pool_alloc_aligned(fixed, 64, 65) == NULL);
    REQUIRE_EQUAL(errno, EINVAL);
}

static void *between_used(struct myalloc_pool *pool, size_t bytes)
{
    void *block = myalloc_pool_alloc(pool, bytes);
    REQUIRE(block != NULL && myalloc_pool_alloc(pool, 1) != NULL);
    return block;
}

TEST(a_free_piece_is_found_behind_many_shorter_ones)
{
    ONLY_LIBRARY();
    struct myalloc_pool *pool = create(0, 0);
    void *longer = between_used(pool, 1008);
    for (int i = 0; i < 100; i++) {
        g_blocks[i] = between_used(pool, 560);
    }
    size_t longest;
    while ((longest = stats_of(pool).longest_free) != 0) {
        REQUIRE(myalloc_pool_alloc(pool, longest < 65536 ? longest : 65536) != NULL);
    }
    REQUIRE_EQUAL(stats_of(pool).chunks, 1);
    myalloc_pool_free(pool, longer);
    empty(pool, 100);
    REQUIRE(myalloc_pool_alloc(pool, 992) == longer);
    REQUIRE_EQUAL(stats_of(pool).chunks, 1);
    myalloc_pool_destroy(pool);
}

TEST(neighbours_are_joined_in_any_order_until_one_piece_is_left)
{
    ONLY_LIBRARY();
    for (size_t step = 1; step < ONE_CHUNK; step += 2) {
        struct myalloc_pool *pool = create(0, 0);
        void *first = myalloc_pool_alloc(pool, 1);
        size_t longest = stats_of(pool).longest_free + 16;
        myalloc_pool_free(pool, first);
        fill(pool, ONE_CHUNK, 16 * (step % 7) + 5);
        REQUIRE_EQUAL(stats_of(pool).chunks, 1);
        for (size_t i = 0, at = 0; i < ONE_CHUNK; i++) {
            while (g_blocks[at] == NULL) {
                at = (at + 1) % ONE_CHUNK;
            }
            myalloc_pool_free(pool, g_blocks[at]);
            g_blocks[at] = NULL;
            at = (at + step) % ONE_CHUNK;
        }
        REQUIRE_EQUAL(stats_of(pool).free_pieces, 1);
        REQUIRE_EQUAL(stats_of(pool).longest_free, longest);
        myalloc_pool_destroy(pool);
    }
}

TEST(a_long_block_goes_back_to_the_heap_when_it_is_freed)
{
    ONLY_LIBRARY();
    struct myalloc_pool *pool = create(0, 0);
    char *block = myalloc_pool_alloc(pool, 3 * MIB);
    REQUIRE(block != NULL);
    block_fill(block, 3 * MIB, 1);
    REQUIRE(stats_of(pool).held >= 3 * MIB);
    REQUIRE(stats_of(pool).held <= 3 * MIB + 32 * KIB);
    REQUIRE(block_holds(block, 3 * MIB, 1));
    myalloc_pool_free(pool, block);
    REQUIRE_EQUAL(stats_of(pool).held, 0);
}

static void require_reset(size_t block_bytes)
{
    struct myalloc_pool *pool = create(block_bytes, 0);
    fill(pool, MANY, FIXED);
    struct myalloc_pool_stats full = stats_of(pool);
    myalloc_pool_reset(pool);
    struct myalloc_pool_stats rest = stats_of(pool);
    REQUIRE_EQUAL(rest.blocks, 0);
    REQUIRE_EQUAL(rest.used, 0);
    REQUIRE_EQUAL(rest.held, full.held);
    fill(pool, MANY, FIXED);
    require_contents(MANY, FIXED);
    REQUIRE_EQUAL(stats_of(pool).held, full.held);
    empty(pool, MANY);
    REQUIRE_EQUAL(stats_of(pool).chunks, 1);
    myalloc_pool_destroy(pool);
}

TEST(reset_frees_all_blocks_and_keeps_the_memory)
{
    ONLY_LIBRARY();
    require_reset(FIXED);
    require_reset(0);
}

TEST(reset_gives_long_blocks_back)
{
    ONLY_LIBRARY();
    struct myalloc_pool *pool = create(0, 0);
    REQUIRE(myalloc_pool_alloc(pool, 16) != NULL);
    size_t held = stats_of(pool).held;
    REQUIRE(myalloc_pool_alloc(pool, MIB) != NULL);
    myalloc_pool_reset(pool);
    REQUIRE_EQUAL(stats_of(pool).held, held);
}

/* What all pools hold, and what the malloc family counts as in use. */
static size_t pools_bytes(void)
{
    struct myalloc_stats stats;
    REQUIRE_EQUAL(myalloc_stats(&stats, sizeof stats), 0);
    return stats.pools;
}

TEST(statistics_count_what_pools_hold)
{
    ONLY_LIBRARY();
    struct myalloc_stats before;
    struct myalloc_stats after;
    free(malloc(1));
    REQUIRE_EQUAL(myalloc_stats(&before, sizeof before), 0);
    struct mallinfo2 info = mallinfo2();
    struct myalloc_pool *pool = create(FIXED, 0);
    fill(pool, MANY, FIXED);
    size_t held = stats_of(pool).held;
    REQUIRE_EQUAL(myalloc_stats(&after, sizeof after), 0);
    REQUIRE_EQUAL(after.pools - before.pools, held);
    REQUIRE_EQUAL(after.live, before.live);
    REQUIRE_EQUAL(mallinfo2().uordblks - info.uordblks, held);
    REQUIRE_EQUAL(mallinfo2().arena, mallinfo2().uordblks + mallinfo2().fordblks);
    REQUIRE_EQUAL(after.brk + after.mapped - after.free_dirty - after.free_clean,
                  before.brk + before.mapped - before.free_dirty - before.free_clean + held);
    myalloc_pool_destroy(pool);
    REQUIRE_EQUAL(pools_bytes(), before.pools);
}

TEST(destroy_gives_all_memory_back)
{
    ONLY_LIBRARY();
    size_t before = pools_bytes();
    for (int i = 0; i < 100; i++) {
        struct myalloc_pool *pool = create(i % 2 != 0 ? 0 : 1000, 0);
        for (int k = 0; k < 1000; k++) {
            REQUIRE(myalloc_pool_alloc(pool, 1000) != NULL);
        }
        REQUIRE(pools_bytes() > before + 1000 * 1000);
        myalloc_pool_destroy(pool);
        REQUIRE_EQUAL(pools_bytes(), before);
    }
}

TEST(a_block_of_a_pool_is_no_block_of_malloc)
{
    ONLY_LIBRARY();
    struct myalloc_pool *pool = create(0, 0);
    char *block = myalloc_pool_alloc(pool, 5000);
    char *next = myalloc_pool_alloc(pool, 200 * KIB);
    REQUIRE_EQUAL(malloc_usable_size(block), 0);
    REQUIRE_EQUAL(malloc_usable_size(next), 0);
    REQUIRE_EQUAL(malloc_usable_size(next + 100 * KIB), 0);
    REQUIRE_EQUAL(myalloc_owns(block), 0);
    REQUIRE_EQUAL(myalloc_owns(next), 0);
    REQUIRE(malloc_trim(0) >= 0);
    block_fill(block, 5000, 3);
    REQUIRE(malloc_trim(0) >= 0);
    REQUIRE(block_holds(block, 5000, 3));
}

static _Atomic int g_stop;

static void *keep_busy(void *argument)
{
    struct myalloc_pool *pool = argument;
    while (g_stop == 0) {
        void *block = myalloc_pool_alloc(pool, 100);
        REQUIRE(block != NULL);
        myalloc_pool_free(pool, block);
    }
    return NULL;
}

/* The pool must be whole in the child, however busy its lock is in the parent. */
TEST(the_child_of_a_fork_uses_a_pool_that_other_threads_were_using)
{
    ONLY_LIBRARY();
    struct myalloc_pool *pool = myalloc_pool_create(0, 0);
    char *kept = myalloc_pool_alloc(pool, 1000);
    block_fill(kept, 1000, 9);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, keep_busy, pool), 0);
    }
    for (int i = 0; i < 200; i++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            alarm(10);
            void *block = myalloc_pool_alloc(pool, 300);
            bool is_good = block != NULL && block_holds(kept, 1000, 9);
            myalloc_pool_free(pool, block);
            myalloc_pool_destroy(pool);
            _exit(is_good ? 0 : 1);
        }
        int status = -1;
        REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
        REQUIRE_EQUAL(status, 0);
    }
    g_stop = 1;
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}
