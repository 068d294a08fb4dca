/* test_pool.c - a pool: blocks that end together. What programs see is in test/api/pool.c. */
#include "pool/pool.h"
#include "pages/span.h"

#include <criterion/criterion.h>
#include <string.h>

static void start(void)
{
    cr_assert(span_start(true));
}

static void *take(struct pool *pool, size_t bytes)
{
    void *block = pool_allocate(pool, bytes, 16);
    block = block != NULL ? block : pool_allocate_anew(pool, bytes, 16);
    cr_assert_not_null(block);
    memset(block, 0xff, bytes);
    return block;
}

static void give(struct pool *pool, void *block)
{
    struct pool_chunk *idle = NULL;
    size_t bytes = 0;
    cr_assert_eq(pool_free(pool, block, &bytes, &idle), POOL_OK);
    if (idle != NULL) {
        pool_chunk_free(idle);
    }
}

/* POOL-1: programs bound their memory by these numbers. */
Test(pool, counts_are_those_of_its_blocks, .init = start)
{
    struct myalloc_pool_stats stats;
    struct pool *pool = pool_create(0, false);
    void *blocks[1000];
    for (size_t i = 0; i < 1000; i++) {
        blocks[i] = take(pool, 16 * (i % 100 + 1));
    }
    pool_stats(pool, &stats);
    size_t used = 10 * 16 * 5050;
    cr_assert_eq(stats.used, used);
    cr_assert_geq(stats.held, used);
    for (size_t i = 0; i < 1000; i++) {
        give(pool, blocks[i]);
    }
    pool_stats(pool, &stats);
    cr_assert_eq(stats.used, 0);
}

/* POOL-2: chunks with room come first, or each block would need a look at all of them. */
Test(pool, a_full_chunk_with_a_free_block_serves_next, .init = start)
{
    enum { CELLS = 20000 };
    static void *cells[CELLS];
    struct pool *pool = pool_create(64, false);
    for (int i = 0; i < CELLS; i++) {
        cells[i] = take(pool, 64);
    }
    give(pool, cells[CELLS / 2]);
    cr_assert_eq(pool_allocate(pool, 64, 16), cells[CELLS / 2]);
}

/* POOL-3: a pool that was large once does not keep all of it. */
Test(pool, empty_chunks_go_but_one, .init = start)
{
    enum { CELLS = 20000 };
    static void *cells[CELLS];
    struct pool *pool = pool_create(64, false);
    for (int i = 0; i < CELLS; i++) {
        cells[i] = take(pool, 64);
    }
    size_t used = span_stats().used_chunks;
    for (int i = 0; i < CELLS; i++) {
        give(pool, cells[i]);
    }
    cr_assert_leq(pool->empties, 1);
    cr_assert_lt(span_stats().used_chunks, used);
}

Test(pool, the_end_gives_all_of_it_back, .init = start)
{
    size_t used = span_stats().used_chunks;
    struct pool *pool = pool_create(0, true);
    for (size_t i = 0; i < 1000; i++) {
        take(pool, i);
    }
    take(pool, (size_t)1 << 20);
    pool_destroy(pool);
    cr_assert_eq(span_stats().used_chunks, used);
    cr_assert_not(pool->is_alive);
    cr_assert_eq(pool_create(0, true), pool); // the structure serves the next one
    span_check();
}

Test(pool, what_is_no_block_is_told_from_blocks, .init = start)
{
    struct pool *pool = pool_create(0, false);
    struct pool *other = pool_create(0, false);
    struct pool_chunk *idle = NULL;
    size_t bytes = 0;
    char *block = take(pool, 100);
    cr_assert_eq(pool_free(other, block, &bytes, &idle), POOL_FOREIGN);
    cr_assert_eq(pool_free(pool, &idle, &bytes, &idle), POOL_FOREIGN);
    cr_assert_eq(pool_free(pool, block + 16, &bytes, &idle), POOL_INTERIOR);
    pool_reset(pool);
    cr_assert_eq(pool_free(pool, block, &bytes, &idle), POOL_FREED);
}
