/* test_depot.c - magazines that come and go as one word, and what goes home. depot_check() walks
 * all invariants after each step. */
#include "core/depot.h"
#include "core/depot_look.h"
#include "core/magazine.h"
#include "core/slab.h"
#include "core/slot.h"
#include "base/os.h"
#include "pages/page_heap.h"
#include "pages/span.h"
#include "support/by_address.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 4000, PAGE = 4096 };

static char *g_blocks[BLOCKS];

static void start(void)
{
    cr_assert(span_start(true));
    cr_assert(slot_start(SLOT_AUTO));
}

/* Takes at least `count` blocks, whole lists; how many it was. */
static unsigned take_blocks(unsigned sc, unsigned count)
{
    unsigned got = 0;
    while (got < count) {
        list_word list = depot_fetch(sc).list;
        cr_assert_not(list_is_empty(list));
        for (; !list_is_empty(list); list = list_link(list_first(list))) {
            cr_assert(list_is_sound(list));
            cr_assert_lt(got, BLOCKS);
            g_blocks[got++] = list_first(list);
        }
    }
    depot_check();
    return got;
}

/* A magazine of the blocks [from, to) that were taken. */
static list_word magazine(unsigned from, unsigned to)
{
    list_word list = list_empty();
    for (unsigned i = from; i < to; i++) {
        list = list_push(list, g_blocks[i]);
    }
    return list;
}

/* Gives blocks back in magazines of `size`. */
static void give_blocks(unsigned sc, unsigned from, unsigned to, unsigned size)
{
    for (unsigned i = from; i < to; i += size) {
        depot_return(sc, magazine(i, (unsigned)min_size(i + size, to)));
        depot_check();
    }
}

/* With so many blocks out some magazines may lie here in every build. */
static void take_many(unsigned sc)
{
    take_blocks(sc, 3000);
}

/* The newest one is the one whose blocks are still in some cache; and nothing of it is touched. */
Test(depot, a_magazine_comes_and_goes_as_one_word, .init = start)
{
    take_many(0);
    list_word first = magazine(0, 4);
    list_word second = magazine(4, 8);
    depot_return(0, first);
    depot_check();
    depot_return(0, second);
    depot_check();
    cr_assert_eq(depot_counts(0).magazine_blocks, 8);
    cr_assert_eq(depot_fetch(0).list, second);
    depot_check();
    cr_assert_eq(depot_fetch(0).list, first);
    depot_check();
    cr_assert_eq(depot_counts(0).magazine_blocks, 0);
}

Test(depot, an_empty_magazine_is_nothing, .init = start)
{
    depot_return(0, list_empty());
    cr_assert_eq(depot_counts(0).magazine_blocks, 0);
    depot_check();
}

/* Its blocks are in some cache: each is read on its way home. What lay here first stays. */
Test(depot, what_comes_to_a_full_depot_goes_home, .init = start)
{
    list_word given[DEPOT_MAGAZINES + 2];
    list_word there[DEPOT_MAGAZINES];
    take_many(0);
    for (unsigned i = 0; i < DEPOT_MAGAZINES + 2; i++) {
        given[i] = magazine(2 * i, 2 * i + 2);
        depot_return(0, given[i]);
        depot_check();
    }
    cr_assert_eq(depot_look(0, there, DEPOT_MAGAZINES), DEPOT_MAGAZINES);
    cr_assert_eq(depot_counts(0).magazine_blocks, 2 * DEPOT_MAGAZINES);
    cr_assert_arr_eq(there, given, sizeof there);
}

/* The same where an eighth of what is out lies here. */
Test(depot, what_comes_to_a_large_class_goes_home_beyond_its_eighth, .init = start)
{
    const unsigned sc = SMALL_CLASSES - 1;
    list_word there[DEPOT_MAGAZINES];
    list_word first = list_empty();
    take_blocks(sc, 1600); // 100 slabs
    for (unsigned i = 0; i < 20; i++) {
        list_word given = magazine(16 * i, 16 * i + 16);
        first = i == 0 ? given : first;
        depot_return(sc, given);
        depot_check();
        cr_assert_leq(depot_counts(sc).magazine_blocks, 1600 / 8);
        cr_assert_geq(depot_look(sc, there, DEPOT_MAGAZINES), 1);
        cr_assert_eq(there[0], first);
    }
    cr_assert_gt(depot_counts(sc).magazine_blocks, 1600 / 16);
}

/* Else the slabs of a class that went out of use would stay for ever. */
Test(depot, a_sweep_sends_home_what_no_take_needed_since_the_last, .init = start)
{
    take_many(0);
    list_word newest = list_empty();
    depot_sweep(0);
    for (unsigned i = 0; i < 4; i++) {
        newest = magazine(2 * i, 2 * i + 2);
        depot_return(0, newest);
    }
    depot_sweep(0); // they came meanwhile
    depot_check();
    cr_assert_eq(depot_counts(0).magazine_blocks, 8);
    depot_return(0, depot_fetch(0).list); // one was needed
    depot_sweep(0);
    depot_check();
    cr_assert_eq(depot_counts(0).magazine_blocks, 2);
    list_word left;
    cr_assert_eq(depot_look(0, &left, 1), 1);
    cr_assert_eq(left, newest);
    depot_sweep(0);
    depot_check();
    cr_assert_eq(depot_counts(0).magazine_blocks, 0);
}

/* Threads that free one block at a time would fill the depot with magazines of one. */
Test(depot, single_blocks_join_the_newest_magazine, .init = start)
{
    take_blocks(0, 200);
    unsigned size = depot_magazine_blocks(0);
    if (CONFIG_TINY || size < 20) {
        return;
    }
    list_word there[2];
    depot_return(0, magazine(0, 2));
    for (unsigned i = 2; i < 20; i++) {
        depot_return(0, magazine(i, i + 1));
        depot_check();
    }
    cr_assert_eq(depot_look(0, there, 2), 1);
    cr_assert_eq(list_count(there[0]), 20);
}

/* A freed heap comes back to the kernel without any call; and the upper slab may be what keeps the
 * break up. */
static void give_slabs_back(unsigned sc, bool highest_first, unsigned kept)
{
    unsigned capacity = g_size_classes[sc].blocks;
    unsigned count = take_blocks(sc, 5 * capacity);
    qsort(g_blocks, count, sizeof *g_blocks, by_address);
    struct chunk *lowest = slab_of(g_blocks[0]);
    cr_assert_geq(depot_counts(sc).slabs, 5);
    for (unsigned i = 0; i < count; i++) {
        unsigned at = highest_first ? count - 1 - i : i;
        depot_return(sc, magazine(at, at + 1));
        depot_sweep(sc);
        depot_sweep(sc);
        depot_check();
    }
    cr_assert_eq(depot_counts(sc).slabs, kept);
    cr_assert(kept == 0 || chunk_state(lowest) == CHUNK_SLAB);
    cr_assert(kept == 0 || slab_is_idle(lowest));
    cr_assert_eq(span_stats().used_chunks, kept * g_size_classes[sc].slab_chunks);
}

Test(depot, an_empty_slab_leaves_but_the_lowest_is_kept, .init = start)
{
    give_slabs_back(31, false, CONFIG_TINY ? 0 : 1);
}

Test(depot, an_empty_slab_leaves_but_the_lowest_is_kept_from_above, .init = start)
{
    give_slabs_back(31, true, CONFIG_TINY ? 0 : 1);
}

/* It had more than 256 KiB, and is at its end: its slab may be what keeps the break up. */
Test(depot, a_class_that_had_many_slabs_keeps_none, .init = start)
{
    give_slabs_back(40, true, 0);
    give_slabs_back(41, false, 0);
}

/* Of its last blocks each would hold a slab, and one of them the break. */
Test(depot, a_class_that_shrank_keeps_nothing_until_it_grows_again, .init = start)
{
    const unsigned sc = SMALL_CLASSES - 1; // 16 blocks a slab
    unsigned count = take_blocks(sc, 100 * 16);
    qsort(g_blocks, count, sizeof *g_blocks, by_address);
    cr_assert_gt(depot_magazine_blocks(sc), 0);
    give_blocks(sc, 4 * 16, count, 16);
    cr_assert_eq(depot_counts(sc).magazine_blocks, 0);
    cr_assert_leq(depot_counts(sc).slabs, 5);
    cr_assert(CONFIG_TINY || depot_magazine_blocks(sc) == 0);
    give_blocks(sc, 0, 8, 8);
    cr_assert_eq(depot_counts(sc).magazine_blocks, 0);
    if (!CONFIG_TINY) {
        depot_return(sc, depot_fetch(sc).list); // it grows
        depot_check();
        cr_assert_eq(depot_magazine_blocks(sc), magazine_blocks_max(sc));
        cr_assert_gt(depot_counts(sc).magazine_blocks, 0);
    }
}

/* Beyond it, what lies here is memory that nobody has. What came when more was out may stay until
 * that is half. */
Test(depot, a_large_class_keeps_an_eighth_of_what_is_out_at_most, .init = start)
{
    const unsigned sc = SMALL_CLASSES - 1;
    unsigned count = take_blocks(sc, 1600);
    for (unsigned given = 0; given + 16 <= count; given += 16) {
        depot_return(sc, magazine(given, given + 16));
        depot_check();
        if (depot_counts(sc).slabs * CHUNK_BYTES > 256 * 1024) {
            cr_assert_leq(depot_counts(sc).magazine_blocks, (count - given) / 4);
        }
    }
}

/* A slab that is nearly empty is to become empty. */
Test(depot, blocks_come_from_the_fullest_slab, .init = start)
{
    const unsigned sc = SMALL_CLASSES - 1;
    unsigned count = take_blocks(sc, 3 * 16);
    qsort(g_blocks, count, sizeof *g_blocks, by_address);
    cr_assert_eq(count, 3 * 16);
    struct chunk *fullest = slab_of(g_blocks[16]);
    depot_return(sc, magazine(2, 16));  // 2 stay
    depot_return(sc, magazine(20, 32)); // 4 stay
    depot_return(sc, magazine(33, 48)); // 1 stays
    depot_sweep(sc);
    depot_sweep(sc);
    depot_check();
    cr_assert_eq(depot_counts(sc).magazine_blocks, 0);
    list_word list = depot_fetch(sc).list;
    cr_assert_eq(list_count(list), 12);
    cr_assert_eq(slab_of(list_first(list)), fullest);
}

/* malloc_trim promises that nothing which is free stays. */
/* What a vector leaves behind as it grows is not asked for again. */
Test(depot, a_large_class_keeps_nothing_until_it_is_asked_for_often, .init = start)
{
    unsigned sc = MEDIUM_END + 1;
    for (unsigned fetches = 1; fetches < 4; fetches++) {
        give_blocks(sc, 0, take_blocks(sc, 1), 1);
        cr_assert_eq(depot_counts(sc).slabs, 0);
        cr_assert_eq(depot_magazine_blocks(sc), 0);
    }
    give_blocks(sc, 0, take_blocks(sc, 1), 1);
    cr_assert_eq(depot_counts(sc).slabs, 1);
    cr_assert_neq(depot_magazine_blocks(sc), 0);
}

Test(depot, a_trim_leaves_only_slabs_with_blocks_out, .init = start)
{
    unsigned count = 0;
    for (unsigned sc = 0; sc < CLASSES; sc += 3) {
        count = take_blocks(sc, 2 * g_size_classes[sc].blocks);
        give_blocks(sc, 0, count, (unsigned)max_size(depot_magazine_blocks(sc), 1));
    }
    depot_trim(false);
    page_heap_free_waiting();
    depot_check();
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        cr_assert_eq(depot_counts(sc).slabs, 0);
        cr_assert_eq(depot_counts(sc).magazine_blocks, 0);
    }
    cr_assert_eq(span_stats().used_chunks, 0);
}

Test(depot, a_trim_that_purges_gives_the_free_pages_of_slabs_back, .init = start)
{
    unsigned count = take_blocks(0, 1000);
    memset(g_blocks[0], 7, 16);
    give_blocks(0, 1, count, 100);
    size_t purged = depot_trim(true);
    depot_check();
    cr_assert(os_page_bytes() > CHUNK_BYTES || purged >= CHUNK_BYTES - os_page_bytes());
    cr_assert_eq(g_blocks[0][15], 7);
    take_blocks(0, 1000); // the same again, carved anew
    cr_assert_eq(depot_counts(0).slabs, 1);
}

/* A look costs the walk of a free list: for the same it is not taken twice. */
Test(depot, a_slab_is_purged_again_only_when_less_of_it_is_out, .init = start)
{
    const unsigned sc = SMALL_CLASSES - 1;
    unsigned count = take_blocks(sc, 16);
    struct chunk *slab = slab_of(g_blocks[0]);
    cr_assert_eq(count, 16);
    give_blocks(sc, 2, count, 7);
    depot_sweep(sc);
    depot_sweep(sc);
    cr_assert_eq(depot_purge_slab(slab, sc + 1, 2), 0); // of another class by now
    cr_assert_eq(depot_purge_slab(slab, sc, 1), 0);     // more are out
    size_t purged = depot_purge_slab(slab, sc, 2);
    cr_assert_eq(purged, os_page_bytes() == PAGE ? 3 * PAGE : 0);
    depot_check();
    cr_assert_eq(depot_purge_slab(slab, sc, 2), 0);
}

/* Nobody would come back for them. */
Test(depot, the_magazines_of_a_slot_that_nobody_uses_are_taken, .init = start)
{
    static struct slot slot;
    take_many(0);
    slot.loaded[1] = magazine(0, 10);
    slot.spare[1] = magazine(10, 13);
    depot_drain_slot(&slot);
    depot_check();
    cr_assert_eq(depot_counts(0).magazine_blocks, 13);
    cr_assert_eq(slot.loaded[1], list_empty());
    cr_assert_eq(slot.spare[1], list_empty());
}

/* What cannot be a magazine of the class may be anybody's memory. */
Test(depot, a_block_of_another_class_dies_on_its_way_home, .init = start, .signal = SIGABRT)
{
    take_blocks(1, 10);
    list_word list = magazine(0, 10);
    take_many(0);
    depot_return(0, list);
    depot_trim(false);
}

Test(depot, the_inside_of_a_block_dies_on_its_way_home, .init = start, .signal = SIGABRT)
{
    take_many(10);
    g_blocks[0] += 16;
    depot_return(10, magazine(0, 2));
    depot_trim(false);
}

Test(depot, a_broken_link_dies_on_its_way_home, .init = start, .signal = SIGABRT)
{
    take_many(10);
    list_word list = magazine(0, 4);
    list_set_link(g_blocks[2], 0);
    depot_return(10, list);
    depot_trim(false);
}

/* Each magazine is sound by itself, so that no link tells of the block in all of them. */
Test(depot, more_blocks_than_are_out_die_on_their_way_home, .init = start, .signal = SIGABRT)
{
    unsigned count = take_blocks(40, 3);
    for (unsigned i = 0; i <= count; i++) {
        depot_return(40, magazine(0, 1));
        depot_sweep(40);
        depot_sweep(40);
        take_blocks(41, 1); // until the last one this is no fault that can be known
    }
}

/* ---- all at once ---- */

enum { LISTS = 60 };

static struct {
    list_word list;
    unsigned sc;
} g_lists[LISTS];

static void fill(list_word list, int byte)
{
    for (; !list_is_empty(list); list = list_link(list_first(list))) {
        size_t bytes = size_class_bytes(slab_of(list_first(list))->sc);
        memset((char *)list_first(list) + 8, byte, bytes - 8);
    }
}

static void check_filled(list_word list, int byte)
{
    for (; !list_is_empty(list); list = list_link(list_first(list))) {
        const char *block = list_first(list);
        size_t bytes = size_class_bytes(slab_of(block)->sc);
        cr_assert(list_is_sound(list));
        for (size_t i = 8; i < bytes; i += 37) {
            cr_assert_eq(block[i], byte);
        }
        cr_assert_eq(block[bytes - 1], byte);
    }
}

static void step(unsigned at)
{
    if (list_is_empty(g_lists[at].list)) {
        g_lists[at].sc = (unsigned)rand() % 4 * 17;
        g_lists[at].list = depot_fetch(g_lists[at].sc).list;
        cr_assert_not(list_is_empty(g_lists[at].list));
        fill(g_lists[at].list, (int)at);
    } else {
        check_filled(g_lists[at].list, (int)at);
        depot_return(g_lists[at].sc, g_lists[at].list);
        g_lists[at].list = list_empty();
    }
    unsigned other = (unsigned)rand() % 200;
    if (other < 20) {
        depot_sweep(other % 4 * 17);
    } else if (other < 23) {
        depot_trim(other == 22);
    }
}

/* No block is in two hands, and none is lost, whatever goes home and is purged meanwhile. */
Test(depot, random_steps_keep_all_invariants_and_contents, .init = start)
{
    srand(1);
    for (unsigned i = 0; i < LISTS; i++) {
        g_lists[i].list = list_empty();
    }
    for (unsigned i = 0; i < 20000; i++) {
        step((unsigned)rand() % LISTS);
        if (i % 16 == 0) {
            depot_check();
        }
    }
    for (unsigned i = 0; i < LISTS; i++) {
        check_filled(g_lists[i].list, (int)i);
        depot_return(g_lists[i].sc, g_lists[i].list);
        depot_check();
    }
    depot_trim(true);
    depot_check();
    cr_assert_eq(span_stats().used_chunks, 0);
}
