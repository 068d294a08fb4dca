/* test_cpu_cache.c - the slow paths of a slot: refills, full magazines, early looks, and threads
 * that take and give at random. */
#include "core/cpu_cache.h"
#include "core/depot.h"
#include "core/depot_look.h"
#include "core/fall.h"
#include "core/magazine.h"
#include "core/slab.h"
#include "pages/page_heap.h"
#include "pages/span.h"
#include "support/affinity.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = 20000, THREADS = 4, STEPS = 100000, PLACES = 3000, EARLY = 32 };

static void *g_blocks[COUNT];

static void start_as(enum slot_kind kind)
{
    cr_assert(span_start(true));
    cr_assert(slot_start(kind));
}

static void start(void)
{
    cr_assert(stay_on_this_cpu()); // the slot stays the same
    start_as(SLOT_AUTO);
    cr_assert(slot_open());
}

static void *take(unsigned sc)
{
    bool is_clean = false;
    cr_assert(thread_enter(NULL));
    unsigned char *block = cpu_cache_allocate(sc, &is_clean);
    thread_leave();
    cr_assert_not_null(block);
    for (size_t i = 0; is_clean && i < size_class_bytes(sc); i++) {
        cr_assert_eq(block[i], 0);
    }
    return block;
}

static void give(unsigned sc, void *block)
{
    cr_assert(thread_enter(NULL));
    cpu_cache_free(sc, block);
    thread_leave();
}

static void flush(bool of_all)
{
    cr_assert(thread_enter(NULL));
    cpu_cache_flush(of_all);
    thread_leave();
}

/* The first frees of a class are looked at one by one; this passes them. */
static void pass_early_frees(unsigned sc)
{
    for (unsigned i = 0; i < EARLY + 2; i++) {
        give(sc, take(sc));
    }
}

static unsigned limit(unsigned sc)
{
    unsigned value = atomic_load(&slot_hint()->limit[slot_bin(sc)]);
    return value != 0 ? value - g_list_end : 0;
}

/* Nothing is out, and nothing lies anywhere: what was taken came back, each block once. */
static void check_all_is_home(void)
{
    flush(true);
    depot_check();
    depot_trim(false);
    depot_check();
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        cr_assert_eq(depot_counts(sc).slabs, 0, "class %u", sc);
    }
    page_heap_free_waiting();
    cr_assert_eq(span_stats().used_chunks, 0);
    span_check();
}

/* A page for each class that a small process touches would be most of its heap. */
Test(cpu_cache, first_requests_of_four_classes_share_the_largest_one)
{
    const size_t page = 4096;
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        size_t bytes = size_class_bytes(sc);
        unsigned largest = CONFIG_TINY || bytes <= 64 || bytes > page ? sc : sc / 4 * 4 + 3;
        cr_assert_leq(size_class_bytes(largest), bytes + (bytes > 144 ? bytes / 3 : 48));
        unsigned first = 0;
        while (first < 100 && cpu_cache_class_at_first(sc) == largest) {
            first++;
        }
        cr_assert_geq(first, 2);
        cr_assert(sc == largest || first * bytes <= 2 * page);
        cr_assert_eq(cpu_cache_class_at_first(sc), sc);
    }
}

/* Two blocks of one address are the worst that an allocator can do. */
Test(cpu_cache, blocks_of_every_class_are_apart, .init = start)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        size_t bytes = size_class_bytes(sc);
        for (size_t i = 0; i < 500; i++) {
            g_blocks[i] = take(sc);
            memset(g_blocks[i], (int)(i % 251), bytes);
        }
        for (size_t i = 0; i < 500; i++) {
            unsigned char *block = g_blocks[i];
            cr_assert_eq(block[0], i % 251);
            cr_assert_eq(block[bytes - 1], i % 251);
            give(sc, block);
        }
        depot_check();
    }
    check_all_is_home();
}

/* The last one is still warm. */
Test(cpu_cache, a_block_freed_last_is_taken_next, .init = start)
{
    pass_early_frees(10);
    g_blocks[0] = take(10);
    g_blocks[1] = take(10);
    give(10, g_blocks[0]);
    give(10, g_blocks[1]);
    cr_assert_eq(take(10), g_blocks[1]);
    cr_assert_eq(take(10), g_blocks[0]);
}

/* But at first who still uses a freed block, or frees it again, should not meet its next owner;
 * also where no other block is at hand. */
Test(cpu_cache, a_block_freed_early_is_not_taken_next, .init = start)
{
    for (unsigned sc = 0; sc < CLASSES - 4; sc += 3) {
        g_blocks[0] = take(sc);
        give(sc, g_blocks[0]);
        g_blocks[1] = take(sc);
        cr_assert_neq(g_blocks[1], g_blocks[0], "class %u", sc);
        give(sc, g_blocks[1]);
        cr_assert_neq(take(sc), g_blocks[1], "class %u", sc);
    }
}

/* calloc believes what it is told of a block: take() looks at each byte, also of blocks that were
 * freed full of ones. */
Test(cpu_cache, a_block_that_is_called_clean_is_zero, .init = start)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        for (unsigned round = 0; round < 3; round++) {
            for (size_t i = 0; i < 100; i++) {
                g_blocks[i] = take(sc);
                memset(g_blocks[i], 0xff, size_class_bytes(sc));
            }
            for (size_t i = 0; i < 100; i++) {
                give(sc, g_blocks[i]);
            }
        }
    }
}

/* Memory must not grow when the same blocks come and go. */
Test(cpu_cache, freed_blocks_are_used_again, .init = start)
{
    size_t used_chunks = 0;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            g_blocks[i] = take(10);
        }
        for (size_t i = 0; i < COUNT; i++) {
            give(10, g_blocks[i]);
        }
        size_t now = span_stats().used_chunks_max;
        cr_assert(round < 2 || now == used_chunks);
        used_chunks = now;
    }
}

/* ---- limits ---- */

/* CACHE-1: small at first, so that a class that is hardly used keeps nothing; never more than a
 * magazine of the class, whatever its frees were. */
Test(cpu_cache, limits_begin_at_nothing_and_stay_below_a_magazine, .init = start)
{
    for (unsigned sc = 0; sc < CLASSES; sc += 6) {
        unsigned highest = 0;
        cr_assert_eq(limit(sc), 0);
        for (size_t i = 0; i < 1000; i++) {
            g_blocks[i] = take(sc);
        }
        for (size_t i = 0; i < 1000; i++) {
            cr_assert(i >= EARLY || limit(sc) == 0); // every early free is looked at
            give(sc, g_blocks[i]);
            highest = (unsigned)max_size(highest, limit(sc));
            cr_assert_leq(list_count(slot_hint()->loaded[slot_bin(sc)]), magazine_blocks_max(sc));
        }
        cr_assert_gt(highest, 0);
        cr_assert_leq(highest, magazine_blocks_max(sc));
    }
}

/* A small heap never shrinks: there the limit is what fits into 16 KiB. */
Test(cpu_cache, a_class_of_a_few_slabs_has_the_full_limit, .init = start)
{
    pass_early_frees(0);
    for (unsigned round = 0; round < 10; round++) {
        for (size_t i = 0; i < 1000; i++) {
            g_blocks[i] = take(0);
        }
        for (size_t i = 0; i < 1000; i++) {
            give(0, g_blocks[i]);
        }
    }
    cr_assert_eq(limit(0), magazine_blocks_max(0));
}

/* One block of each of many slabs would lie in the slot when the rest is freed. What may lie there
 * while a class shrinks is two magazines of 8. */
Test(cpu_cache, blocks_in_a_slot_hold_few_slabs_when_the_class_shrinks, .init = start)
{
    for (size_t i = 0; i < COUNT; i++) {
        g_blocks[i] = take(10);
    }
    size_t slabs = depot_counts(10).slabs;
    for (size_t first = 0; first < 200; first++) {
        for (size_t i = first; i < COUNT; i += 200) {
            give(10, g_blocks[i]);
        }
    }
    depot_check();
    cr_assert_gt(slabs, 200);
    cr_assert_leq(depot_counts(10).slabs, 2 * 8 + 1);
    cr_assert(CONFIG_TINY ||
              depot_magazine_blocks(10) == 0); // the next free that misses sends them home
}

/* ---- early looks ---- */

/* The commonest mistake, at the very beginning of a program. */
Test(cpu_cache, an_early_double_free_dies, .init = start, .signal = SIGABRT)
{
    void *block = take(3);
    give(3, block);
    give(3, block);
}

Test(cpu_cache, an_early_double_free_behind_others_dies, .init = start, .signal = SIGABRT)
{
    size_t count = min_size(EARLY - 2, magazine_blocks_max(3) - 1); // none went home
    for (size_t i = 0; i < count; i++) {
        g_blocks[i] = take(3);
    }
    for (size_t i = 0; i < count; i++) {
        give(3, g_blocks[i]);
    }
    give(3, g_blocks[0]);
}

Test(cpu_cache, an_early_free_meets_a_block_written_to_and_dies, .init = start, .signal = SIGABRT)
{
    g_blocks[0] = take(3);
    g_blocks[1] = take(3);
    give(3, g_blocks[0]);
    memset(g_blocks[0], 0, 8);
    give(3, g_blocks[1]);
}

/* Each one searches the slab and the magazines: for the first ones of a class only, also where it
 * has shrunk and nothing is cached. */
Test(cpu_cache, early_frees_end_where_a_class_has_shrunk, .init = start)
{
    for (size_t i = 0; i < EARLY + 2; i++) {
        g_blocks[i] = take(10);
    }
    depot_trim(false);
    cr_assert_eq(depot_magazine_blocks(10), 0);
    for (size_t i = 0; i < EARLY + 2; i++) {
        cr_assert_eq(slot_hint()->early[slot_bin(10)], min_size(i, EARLY));
        give(10, g_blocks[i]);
    }
}

/* Later, it dies when the block comes for the second time: before it has two owners. In another
 * magazine it may stand at the same count, where nothing can be told. */
Test(cpu_cache, a_late_double_free_in_one_magazine_dies_when_the_block_comes_again, .init = start,
     .signal = SIGABRT)
{
    pass_early_frees(3);
    for (size_t i = 0; i < 3; i++) {
        g_blocks[i] = take(3);
    }
    for (size_t i = 0; i < 3; i++) {
        give(3, g_blocks[i]);
    }
    give(3, g_blocks[0]);
    for (size_t i = 0; i < COUNT; i++) {
        take(3);
    }
}

/* A realloc or a usable size of it can be told from one of a block in use. */
Test(cpu_cache, a_freed_block_is_known_to_be_held_and_one_in_use_is_not, .init = start)
{
    pass_early_frees(3);
    g_blocks[0] = take(3);
    g_blocks[1] = take(3);
    cr_assert_not(cpu_cache_holds(3, g_blocks[0]));
    give(3, g_blocks[0]);
    cr_assert(cpu_cache_may_hold(3, g_blocks[0]));
    cr_assert(cpu_cache_holds(3, g_blocks[0]));
    cr_assert_not(cpu_cache_holds(3, g_blocks[1]));
    cr_assert_eq(take(3), g_blocks[0]);
    cr_assert_not(cpu_cache_holds(3, g_blocks[0]));
}

/* ---- giving back ---- */

/* malloc_trim and a shortage count on it. */
Test(cpu_cache, a_flushed_slot_has_nothing_and_holds_no_slab, .init = start)
{
    for (size_t i = 0; i < COUNT; i++) {
        g_blocks[i] = take((unsigned)(i % SMALL_CLASSES));
    }
    for (size_t i = 0; i < COUNT; i++) {
        give((unsigned)(i % SMALL_CLASSES), g_blocks[i]);
    }
    flush(false);
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        cr_assert(list_is_empty(slot_hint()->loaded[slot_bin(sc)]));
        cr_assert(list_is_empty(slot_hint()->spare[slot_bin(sc)]));
    }
    check_all_is_home();
}

static bool slot_has(unsigned sc)
{
    return !list_is_empty(slot_hint()->loaded[slot_bin(sc)]) ||
           !list_is_empty(slot_hint()->spare[slot_bin(sc)]);
}

// Most of what is in use is freed.
static void fall(void)
{
    size_t falls = fall_count();
    for (size_t i = 0; i < COUNT; i++) {
        g_blocks[i] = take(20);
    }
    for (size_t i = 0; i < COUNT; i++) {
        give(20, g_blocks[i]);
    }
    fall_look(false); // to the end
    give(20, take(20));
    cr_assert_gt(fall_count(), falls);
}

/* Blocks that lie in it may pin most of what is still in use. */
Test(cpu_cache, a_fall_flushes_the_slot, .init = start)
{
    pass_early_frees(10);
    cr_assert(slot_has(10));
    fall();
    cr_assert_not(slot_has(10));
}

/* Who frees all it has and ends leaves nothing there; who goes on gets its cache back. */
Test(cpu_cache, after_a_fall_a_class_is_cached_when_a_malloc_of_it_misses, .init = start)
{
    for (size_t i = 0; i < 100; i++) {
        g_blocks[COUNT - 1 - i] = take(10);
    }
    pass_early_frees(10);
    void *blocks[100];
    memcpy(blocks, &g_blocks[COUNT - 100], sizeof blocks);
    fall();
    depot_return(10, depot_fetch(10).list); // others go on with the class
    for (size_t i = 0; i < 50; i++) {
        give(10, blocks[i]);
        cr_assert_not(slot_has(10));
    }
    take(10);
    for (size_t i = 50; i < 100; i++) {
        give(10, blocks[i]);
    }
    cr_assert(slot_has(10));
}

// Ticks for more than a second, and often enough for a look at the clock in each tenth of it.
static void let_a_second_pass(void)
{
    for (unsigned i = 0; i < 12; i++) {
        cr_assert(thread_enter(NULL));
        for (unsigned k = 0; k < 64; k++) {
            cpu_cache_tick();
        }
        thread_leave();
        usleep(100 * 1000);
    }
}

/* A swing is no fall soon after another one, but it may have been the last. */
Test(cpu_cache, a_fall_is_missed_for_a_second_at_most, .init = start)
{
    unsigned sc = size_class_of(16 * 1024);
    fall();
    size_t falls = fall_count();
    for (size_t i = 0; i < 200; i++) {
        g_blocks[i] = take(sc);
    }
    for (size_t i = 0; i < 200; i++) {
        give(sc, g_blocks[i]);
    }
    fall_look(false);
    cr_assert_eq(fall_count(), falls);
    let_a_second_pass();
    cr_assert_eq(fall_count(), falls + 1);
}

static void *see_a_fall_of_others(void *unused)
{
    (void)unused;
    cr_assert(slot_open());
    pass_early_frees(10);
    cr_assert(slot_has(10));
    fall();
    cr_assert_not(slot_has(10));
    return NULL;
}

/* A slot is flushed by those it serves, so that nobody has to be kept out of it. */
Test(cpu_cache, a_fall_flushes_no_slot_of_others)
{
    pthread_t thread;
    start_as(SLOT_BY_THREAD);
    cr_assert(slot_open());
    pass_early_frees(10);
    void *block = take(11);
    cr_assert_eq(pthread_create(&thread, NULL, see_a_fall_of_others, NULL), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert(slot_has(10));
    give(11, block);
    cr_assert_not(slot_has(10));
}

/* ---- threads ---- */

/* Blocks go from hand to hand by exchanges: whoever takes one out has it alone. */
static _Atomic(unsigned char *) g_places[PLACES];
static const unsigned g_mix[] = {0, 1, 3, 7, 15, 31, 32, 40, 50, 60};
enum { MIX = sizeof g_mix / sizeof g_mix[0] };

static unsigned class_at(size_t place)
{
    return g_mix[place % MIX];
}

/* The contents tell whether a block has a second owner: its place, at both ends. */
static void exchange_place(size_t place, bool takes)
{
    unsigned sc = class_at(place);
    size_t bytes = size_class_bytes(sc);
    unsigned char *block = takes ? take(sc) : NULL;
    if (takes) {
        memset(block, 0, min_size(bytes, 64));
        memcpy(block, &place, sizeof place);
        memcpy(block + bytes - sizeof place, &place, sizeof place);
    }
    unsigned char *old = atomic_exchange(&g_places[place], block);
    if (old != NULL) {
        cr_assert_eq(memcmp(old, &place, sizeof place), 0);
        cr_assert_eq(memcmp(old + bytes - sizeof place, &place, sizeof place), 0);
        give(sc, old);
    }
}

static void *work(void *number)
{
    unsigned seed = (unsigned)(uintptr_t)number;
    for (unsigned i = 0; i < STEPS / THREADS; i++) {
        size_t place = (size_t)rand_r(&seed) % PLACES;
        exchange_place(place, rand_r(&seed) % 2 == 0);
        if (i % 5000 == 4999) {
            flush(i % 10000 == 9999);
            sched_yield();
        }
        if (i == 0) {
            slot_watch_exit();
        }
    }
    return NULL;
}

static void check_threads(enum slot_kind kind)
{
    pthread_t threads[THREADS];
    start_as(kind);
    for (uintptr_t i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    depot_check();
    for (size_t place = 0; place < PLACES; place++) {
        exchange_place(place, false);
    }
    check_all_is_home();
}

/* Threads that are moved and preempted in the middle of everything, and free the blocks of others:
 * no block is given out twice, and in the end none is missing. */
Test(cpu_cache, by_concurrency_id_threads_lose_no_block_and_share_none)
{
    check_threads(SLOT_BY_CID);
}

/* CACHE-2 */
Test(cpu_cache, by_cpu_threads_lose_no_block_and_share_none)
{
    check_threads(SLOT_BY_CPU);
}

Test(cpu_cache, by_thread_threads_lose_no_block_and_share_none)
{
    check_threads(SLOT_BY_THREAD);
}

/* What the fast path serves is one number: a mode that wants to see all sets it to nothing. */
Test(cpu_cache, the_bytes_of_the_fast_path_are_as_set, .init = start)
{
    cpu_cache_set_fast(SMALL_BYTES_MAX + 1);
    cr_assert_eq(atomic_load(&g_fast_bytes), SMALL_BYTES_MAX + 1);
    cpu_cache_set_fast(0);
    cr_assert_eq(atomic_load(&g_fast_bytes), 0);
}
