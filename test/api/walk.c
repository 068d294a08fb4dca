/* walk.c - myalloc_walk: every block that the program holds is told as in use, once, and what it
 * has freed is not. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/blocks.h"
#include "support/extensions.h"
#include "support/harness.h"

enum { COUNT = 6000, SEEN_MAX = 200000 };

static void *g_blocks[COUNT];
static struct myalloc_block g_seen[SEEN_MAX];
static size_t g_seen_count;

static int note(const struct myalloc_block *block, void *unused)
{
    (void)unused;
    REQUIRE(g_seen_count < SEEN_MAX);
    g_seen[g_seen_count++] = *block;
    return 0;
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct myalloc_block *)a)->address;
    uintptr_t y = (uintptr_t)((const struct myalloc_block *)b)->address;
    return x < y ? -1 : x > y;
}

/* qsort may allocate: the walk is over by then. */
static void walk(void)
{
    g_seen_count = 0;
    REQUIRE_EQUAL(myalloc_walk(note, NULL), 0);
    qsort(g_seen, g_seen_count, sizeof g_seen[0], by_address);
    for (size_t i = 1; i < g_seen_count; i++) { /* nothing overlaps */
        REQUIRE((const char *)g_seen[i - 1].address + g_seen[i - 1].bytes <=
                (const char *)g_seen[i].address);
    }
}

static const struct myalloc_block *find(const void *ptr)
{
    const struct myalloc_block key = {.address = ptr};
    return bsearch(&key, g_seen, g_seen_count, sizeof key, by_address);
}

static size_t in_use(int tier, size_t *bytes)
{
    size_t count = 0;
    *bytes = 0;
    for (size_t i = 0; i < g_seen_count; i++) {
        if (g_seen[i].state == MYALLOC_IN_USE && (tier == 0 || g_seen[i].tier == tier)) {
            count++;
            *bytes += g_seen[i].bytes;
        }
    }
    return count;
}

static int tier_of(size_t usable)
{
    return usable <= KIB        ? MYALLOC_SMALL
           : usable <= 32 * KIB ? MYALLOC_MEDIUM
           : usable <= MIB      ? MYALLOC_LARGE
                                : MYALLOC_HUGE;
}

static size_t size_of(size_t i)
{
    if (i % 1000 == 0) {
        return 2 * MIB + i;
    }
    if (i % 100 == 1) {
        return 50 * KIB + i * 16;
    }
    return i % 5 == 2 ? 1500 + i * 4 : 1 + i * 7 % 1000;
}

static void allocate(void)
{
    mallopt(M_MMAP_THRESHOLD, MIB + 1); // and there it stays, whatever is freed
    for (size_t i = 0; i < COUNT; i++) {
        g_blocks[i] = malloc(size_of(i));
        REQUIRE(g_blocks[i] != NULL);
    }
}

static void require_told(size_t i)
{
    const struct myalloc_block *block = find(g_blocks[i]);
    REQUIRE(block != NULL);
    REQUIRE_EQUAL(block->state, MYALLOC_IN_USE);
    REQUIRE_EQUAL(block->bytes, malloc_usable_size(g_blocks[i]));
    REQUIRE_EQUAL(block->tier, tier_of(block->bytes));
}

/* Blocks above 32 KiB lie in slabs too until allocate() calls mallopt: this test comes first. */
TEST(blocks_around_the_longest_medium_ones_are_told_with_their_size)
{
    ONLY_LIBRARY();
    for (size_t i = 0; i < 64; i++) {
        g_blocks[i] = malloc(20 * KIB + i * KIB);
        REQUIRE(g_blocks[i] != NULL);
    }
    walk();
    for (size_t i = 0; i < 64; i++) {
        const struct myalloc_block *block = find(g_blocks[i]);
        REQUIRE(block != NULL);
        REQUIRE_EQUAL(block->bytes, malloc_usable_size(g_blocks[i]));
    }
}

TEST(every_block_in_use_is_told_with_its_size_and_tier)
{
    ONLY_LIBRARY();
    allocate();
    walk();
    for (size_t i = 0; i < COUNT; i++) {
        require_told(i);
    }
}

/* Frees all but every `step`-th block. */
static void *free_most(void *step)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (i % (size_t)(uintptr_t)step != 0) {
            free(g_blocks[i]);
        }
    }
    return NULL;
}

static void require_only(size_t step)
{
    for (size_t i = 0; i < COUNT; i++) {
        const struct myalloc_block *block = find(g_blocks[i]);
        if (i % step == 0) {
            require_told(i);
        } else {
            REQUIRE(block == NULL || block->state != MYALLOC_IN_USE);
        }
    }
}

TEST(what_this_thread_freed_is_not_in_use)
{
    ONLY_LIBRARY();
    allocate();
    free_most((void *)7);
    walk();
    require_only(7);
    REQUIRE(malloc_trim(0) >= 0); /* pages of slabs are purged: their blocks are free */
    walk();
    require_only(7);
}

TEST(what_another_thread_freed_is_not_in_use)
{
    ONLY_LIBRARY();
    allocate();
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, free_most, (void *)7), 0);
    pthread_join(thread, NULL);
    walk();
    require_only(7);
}

static pthread_barrier_t g_barrier;

/* Its bins hold free blocks while the other thread walks. */
static void *free_and_stay(void *step)
{
    for (size_t i = 0; i < COUNT; i++) {
        free(malloc(size_of(i)));
    }
    allocate();
    free_most(step);
    pthread_barrier_wait(&g_barrier);
    pthread_barrier_wait(&g_barrier);
    return NULL;
}

TEST(what_lies_in_the_cache_of_a_live_thread_is_not_in_use)
{
    ONLY_LIBRARY();
    pthread_barrier_init(&g_barrier, NULL, 2);
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, free_and_stay, (void *)7), 0);
    pthread_barrier_wait(&g_barrier);
    size_t bytes;
    walk();
    require_only(7);
    /* The library's own table of the thread is the only block that the model does not know. */
    REQUIRE(in_use(0, &bytes) <= (COUNT + 6) / 7 + 8);
    pthread_barrier_wait(&g_barrier);
    pthread_join(thread, NULL);
}

static void *free_others_and_stay(void *step)
{
    free_most(step);
    pthread_barrier_wait(&g_barrier);
    pthread_barrier_wait(&g_barrier);
    return NULL;
}

/* Fewer blocks of a class than make a batch stay with the thread that freed them. */
TEST(what_lies_in_the_foreign_lists_of_a_live_thread_is_not_in_use)
{
    ONLY_LIBRARY();
    pthread_barrier_init(&g_barrier, NULL, 2);
    allocate();
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, free_others_and_stay, (void *)7), 0);
    pthread_barrier_wait(&g_barrier);
    walk();
    require_only(7);
    pthread_barrier_wait(&g_barrier);
    pthread_join(thread, NULL);
}

/* Sends blocks home: more than the batches on the way hold. */
TEST(what_is_on_its_way_home_is_not_in_use)
{
    ONLY_LIBRARY();
    enum { MANY = 60000 };
    static void *many[MANY];
    for (size_t i = 0; i < MANY; i++) {
        many[i] = malloc(64);
    }
    memcpy(g_blocks, many, sizeof g_blocks);
    pthread_t threads[3];
    for (size_t i = COUNT; i < MANY; i++) {
        free(many[i]);
    }
    for (int i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, free_most, (void *)(i == 0 ? 2UL : (size_t)COUNT * 2));
        pthread_join(threads[i], NULL);
        for (size_t k = 0; k < COUNT && i < 2; k++) {
            g_blocks[k] = malloc(64);
        }
    }
    walk();
    for (size_t i = 1; i < COUNT; i++) {
        const struct myalloc_block *block = find(g_blocks[i]);
        REQUIRE(block == NULL || block->state != MYALLOC_IN_USE);
    }
}

// Free bytes of the page heap, by the walk. Spans are whole chunks; a block above 32 KiB that is
// free on its slab is none, for such a slab has several only where a block is not.
static size_t walked_free_spans(void)
{
    size_t free_spans = 0;
    walk();
    for (size_t i = 0; i < g_seen_count; i++) {
        bool is_span = g_seen[i].bytes % (16 * KIB) == 0;
        if (g_seen[i].tier == MYALLOC_LARGE && g_seen[i].state == MYALLOC_FREE && is_span) {
            free_spans += g_seen[i].bytes;
        }
    }
    return free_spans;
}

static size_t counted_free_spans(void)
{
    struct myalloc_stats stats;
    REQUIRE_EQUAL(myalloc_stats(&stats, sizeof stats), 0);
    return stats.free_dirty + stats.free_clean;
}

TEST(sums_are_those_of_the_statistics)
{
    ONLY_LIBRARY();
    allocate();
    free_most((void *)3);
    struct mallinfo2 info = mallinfo2();
    walk();
    size_t bytes;
    size_t huge_bytes;
    REQUIRE_EQUAL(in_use(MYALLOC_HUGE, &huge_bytes), info.hblks);
    (void)in_use(0, &bytes);
    REQUIRE_EQUAL(bytes - huge_bytes, info.uordblks);
    size_t before;
    size_t walked;
    do { // once a second a slow path may free spans in between
        before = counted_free_spans();
        walked = walked_free_spans();
    } while (counted_free_spans() != before);
    REQUIRE_EQUAL(walked, before);
}

TEST(pools_are_told_by_their_chunks)
{
    ONLY_LIBRARY();
    struct myalloc_pool *pool = myalloc_pool_create(0, 0);
    for (int i = 0; i < 10000; i++) {
        REQUIRE(myalloc_pool_alloc(pool, 100) != NULL);
    }
    struct myalloc_pool_stats stats;
    REQUIRE_EQUAL(myalloc_pool_stats(pool, &stats, sizeof stats), 0);
    walk();
    size_t bytes;
    REQUIRE_EQUAL(in_use(MYALLOC_POOL, &bytes), stats.chunks);
    REQUIRE_EQUAL(bytes, stats.held);
}

static int allocate_inside(const struct myalloc_block *block, void *count)
{
    (void)block;
    void *ptr = malloc(100 + ++*(size_t *)count % 5000);
    REQUIRE(ptr != NULL);
    if (*(size_t *)count % 2 == 0) {
        free(ptr);
    }
    return 0;
}

TEST(the_callback_may_allocate)
{
    ONLY_LIBRARY();
    allocate();
    walk();
    size_t count = 0;
    REQUIRE_EQUAL(myalloc_walk(allocate_inside, &count), 0);
    REQUIRE(count + 100 > g_seen_count);
    REQUIRE(count < g_seen_count + 100);
}

static int stop_at_ten(const struct myalloc_block *block, void *count)
{
    (void)block;
    return ++*(int *)count == 10 ? 42 : 0;
}

TEST(the_callback_may_stop_the_walk)
{
    ONLY_LIBRARY();
    int count = 0;
    allocate();
    REQUIRE_EQUAL(myalloc_walk(stop_at_ten, &count), 42);
    REQUIRE_EQUAL(count, 10);
}

static _Atomic int g_stop;

static void *churn(void *seed)
{
    unsigned random = (unsigned)(uintptr_t)seed;
    static _Thread_local void *slots[100];
    while (g_stop == 0) {
        random = random * 1664525U + 1013904223U;
        size_t at = (random >> 8) % 100;
        free(slots[at]);
        slots[at] = malloc((random >> 16) % (random % 50 == 0 ? 3000000 : 2000));
    }
    return NULL;
}

/* WALK-1: nothing is promised of the blocks of the others, but that it works, and all of our own.
 */
TEST(a_walk_among_busy_threads_tells_our_own_blocks)
{
    ONLY_LIBRARY();
    pthread_t threads[3];
    for (uintptr_t i = 0; i < 3; i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    }
    allocate();
    for (int round = 0; round < 60; round++) {
        g_seen_count = 0;
        REQUIRE_EQUAL(myalloc_walk(note, NULL), 0);
        qsort(g_seen, g_seen_count, sizeof g_seen[0], by_address);
        for (size_t i = 0; i < COUNT; i++) {
            require_told(i);
        }
    }
    g_stop = 1;
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
}
