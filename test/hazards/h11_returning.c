/* h11_returning.c - freed memory goes back to the system, without and with malloc_trim. */
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/affinity.h"
#include "support/harness.h"
#include "support/process.h"

enum { SMALL_COUNT = 20000, SMALL_BYTES = 1000, MANY_COUNT = 1 << 20 };

static char *g_blocks[MANY_COUNT];

static void allocate(size_t count, size_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        g_blocks[i] = malloc(bytes);
        REQUIRE(g_blocks[i] != NULL);
        memset(g_blocks[i], 1, bytes);
    }
}

static void free_all(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(g_blocks[i]);
    }
}

static size_t grown_since(size_t rss_before)
{
    size_t rss = process_rss_bytes();
    return rss > rss_before ? rss - rss_before : 0;
}

TEST(twenty_thousand_small_blocks_then_64_mib_go_back)
{
    memset(g_blocks, 0, SMALL_COUNT * sizeof g_blocks[0]);
    size_t rss_before = process_rss_bytes();
    allocate(SMALL_COUNT, SMALL_BYTES);
    free_all(SMALL_COUNT);
    REQUIRE(grown_since(rss_before) <= 3 * MIB / 2);
    allocate(1, 64 * MIB);
    free_all(1);
    REQUIRE(grown_since(rss_before) <= 3 * MIB / 2);
}

TEST(the_kernels_heap_mapping_grows_and_shrinks)
{
    if (!harness_uses_break()) {
        return;
    }
    // With cpu_cache:cpu, a block in the slot of a CPU that was left may be the last of the heap.
    REQUIRE(stay_on_this_cpu());
    free(malloc(100));
    size_t heap_before = process_heap_bytes();
    allocate(SMALL_COUNT, SMALL_BYTES);
    REQUIRE(process_heap_bytes() >= heap_before + 18 * MIB);
    free_all(SMALL_COUNT);
    REQUIRE(process_heap_bytes() <= heap_before + 4 * MIB);
}

TEST(half_a_gibibyte_of_small_blocks_goes_back)
{
    enum { BYTES = 512 };
    memset(g_blocks, 0, sizeof g_blocks);
    size_t rss_before = process_rss_bytes();
    allocate(MANY_COUNT, BYTES);
    free_all(MANY_COUNT);
    size_t peak = (size_t)MANY_COUNT * BYTES;
    REQUIRE(grown_since(rss_before) <= peak * 6 / 100 + MIB);
}

/* Small blocks of one size in and out: nothing but refills of one list. */
static void work_lightly(void)
{
    for (size_t i = 0; i < 20; i++) {
        void *blocks[40];
        for (size_t k = 0; k < COUNT_OF(blocks); k++) {
            blocks[k] = malloc(100);
        }
        for (size_t k = 0; k < COUNT_OF(blocks); k++) {
            free(blocks[k]);
        }
    }
    usleep(5000);
}

/* A heap that fell and rose again keeps its memory for the next time; not when that does not come.
 */
TEST(memory_kept_for_the_next_rise_goes_back_when_it_does_not_come)
{
    enum { RISES = 4, CALM_STEPS = 2000 };
    memset(g_blocks, 0, sizeof g_blocks);
    size_t rss_before = process_rss_bytes();
    for (size_t i = 0; i < RISES; i++) {
        allocate(SMALL_COUNT * 2, SMALL_BYTES);
        free_all(SMALL_COUNT * 2);
    }
    for (size_t i = 0; i < CALM_STEPS && grown_since(rss_before) > 4 * MIB; i++) {
        work_lightly();
    }
    REQUIRE(grown_since(rss_before) <= 4 * MIB);
}

/* Memory that comes back is not taken for memory that will be written to all over. */
TEST(reserves_that_are_hardly_used_stay_so_when_they_come_back)
{
    enum { RESERVES = 1000, RESERVE_BYTES = 256 * 1024, ROUNDS = 4 };
    size_t rss_before = process_rss_bytes();
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < RESERVES; i++) {
            g_blocks[i] = malloc(RESERVE_BYTES);
            REQUIRE(g_blocks[i] != NULL);
            g_blocks[i][0] = 1;
        }
        REQUIRE(grown_since(rss_before) <= 32 * MIB);
        free_all(RESERVES);
    }
}

TEST(malloc_trim_gives_back_nine_tenths_of_the_free_pages)
{
    ONLY_LIBRARY();
    enum { BYTES = 512, COUNT = 1 << 17 };
    memset(g_blocks, 0, COUNT * sizeof g_blocks[0]);
    allocate(COUNT, BYTES);
    size_t rss_full = process_rss_bytes();
    size_t freed_bytes = 0;
    for (size_t i = 0; i < COUNT; i++) {
        if ((size_t)g_blocks[i] / harness_page_bytes() % 2 == 0) {
            free(g_blocks[i]);
            freed_bytes += BYTES;
        }
    }
    (void)malloc_trim(0);
    REQUIRE(process_rss_bytes() <= rss_full - freed_bytes * 9 / 10);
}

enum { SPARSE_LEAST = 32, SPARSE_MOST = 128, SPARSE_STEP = 16 };

/* Allocates blocks of seven size classes and frees the first one of each slab. Returns how many
 * g_blocks has room for, some NULL. */
static size_t allocate_and_free_one_of_each_slab(void)
{
    enum { CLASS_BYTES = 200 * 16384, SLABS_MAX = 1 << 16 };
    static bool seen[SLABS_MAX];
    memset(seen, 0, sizeof seen);
    size_t count = 0;
    for (size_t bytes = SPARSE_LEAST; bytes <= SPARSE_MOST; bytes += SPARSE_STEP) {
        for (size_t i = 0; i < CLASS_BYTES / bytes; i++) {
            g_blocks[count] = malloc(bytes);
            REQUIRE(g_blocks[count] != NULL);
            memset(g_blocks[count++], 1, bytes);
        }
    }
    for (size_t i = 0; i < count; i++) {
        bool *seen_here = &seen[(uintptr_t)g_blocks[i] / 16384 % SLABS_MAX];
        if (!*seen_here) {
            *seen_here = true;
            free(g_blocks[i]);
            g_blocks[i] = NULL;
        }
    }
    return count;
}

/* Behind the first frees of each size class, which are looked at one by one. */
static void pass_the_early_frees(void)
{
    memset(g_blocks, 0, sizeof g_blocks);
    for (size_t bytes = SPARSE_LEAST; bytes <= SPARSE_MOST; bytes += SPARSE_STEP) {
        allocate(100, bytes);
        free_all(100);
    }
}

/* What is kept to be used again while it is warm must not hold all the slabs. */
TEST(blocks_at_hand_hold_no_slabs)
{
    REQUIRE(stay_on_this_cpu());
    pass_the_early_frees();
    size_t rss_before = process_rss_bytes();
    free_all(allocate_and_free_one_of_each_slab());
    REQUIRE(grown_since(rss_before) <= 6 * MIB);
}

/* With cpu_cache:cpu, the blocks of each slab that were freed first stay in the slot of a CPU where
 * nobody runs any more. */
TEST(blocks_left_on_another_cpu_hold_no_slabs_for_ever)
{
    cpu_set_t allowed;
    ONLY_LIBRARY();
    REQUIRE_EQUAL(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    REQUIRE(stay_on_this_cpu());
    CPU_CLR((size_t)sched_getcpu(), &allowed);
    pass_the_early_frees();
    size_t rss_before = process_rss_bytes();
    size_t count = allocate_and_free_one_of_each_slab();
    if (CPU_COUNT(&allowed) != 0) {
        REQUIRE_EQUAL(sched_setaffinity(0, sizeof allowed, &allowed), 0);
    }
    free_all(count);
    // A megabyte at a time: more would be kept, as memory that is needed again and again.
    time_t give_up = time(NULL) + 30; // for what takes two seconds
    while (grown_since(rss_before) > 4 * MIB && time(NULL) < give_up) {
        allocate(SMALL_COUNT / 5, SMALL_BYTES / 4);
        free_all(SMALL_COUNT / 5);
    }
    REQUIRE(grown_since(rss_before) <= 4 * MIB);
}

enum { PLACES = 4096, STEPS = 150000 };

static void *replace_at_random(void *arg)
{
    static _Thread_local void *t_places[PLACES];
    unsigned seed = *(unsigned *)arg;
    for (unsigned i = 0; i < STEPS; i++) {
        void **place = &t_places[(unsigned)rand_r(&seed) % PLACES];
        free(*place);
        size_t most = rand_r(&seed) % 8 == 0 ? 30000 : 1000;
        size_t bytes = 8 + (unsigned)rand_r(&seed) % most;
        *place = malloc(bytes);
        REQUIRE(*place != NULL);
        memset(*place, 1, bytes);
    }
    for (unsigned i = 0; i < PLACES; i++) {
        free(t_places[i]);
    }
    return NULL;
}

enum { AT_ONCE = 2, ATTEMPTS = 8 };

static void run_at_once(void *(*body)(void *))
{
    unsigned seeds[AT_ONCE] = {1, 2};
    pthread_t threads[AT_ONCE];
    for (size_t i = 0; i < AT_ONCE; i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, body, &seeds[i]), 0);
    }
    for (size_t i = 0; i < AT_ONCE; i++) {
        REQUIRE_EQUAL(pthread_join(threads[i], NULL), 0);
    }
}

/* Goes on with small blocks, as a program does after its work. */
static void *go_on(void *unused)
{
    static _Thread_local void *t_blocks[2000];
    for (unsigned round = 0; round < 50; round++) {
        for (size_t i = 0; i < COUNT_OF(t_blocks); i++) {
            t_blocks[i] = malloc(SMALL_BYTES / 4);
            REQUIRE(t_blocks[i] != NULL);
        }
        for (size_t i = 0; i < COUNT_OF(t_blocks); i++) {
            free(t_blocks[i]);
        }
    }
    return unused;
}

/* A few blocks of each of many sizes lie in the cache of each CPU: each may pin a slab. A thread
 * that leaves its CPU to nobody shortly before its end leaves some there, until somebody frees
 * there: that is rare, but on a busy machine it may happen each time. And a program that has swung
 * for so often is flushed once a second at most. */
TEST(threads_that_used_all_sizes_leave_nothing)
{
    ONLY_LIBRARY();
    size_t rss_before = process_rss_bytes();
    unsigned attempts = 0;
    do {
        run_at_once(replace_at_random);
        attempts++;
    } while (grown_since(rss_before) > 4 * MIB && attempts < ATTEMPTS);
    time_t give_up = time(NULL) + 30; // for what takes two seconds
    while (grown_since(rss_before) > 4 * MIB && time(NULL) < give_up) {
        run_at_once(go_on);
    }
    REQUIRE(grown_since(rss_before) <= 4 * MIB);
}
