/* test_thin.c - pages of slabs of which little is left in use go back for fresh memory. */
#include "core/thin.h"
#include "core/depot.h"
#include "core/depot_look.h"
#include "core/large.h"
#include "core/slab.h"
#include "core/slot.h"
#include "base/os.h"
#include "pages/purge.h"
#include "pages/span.h"
#include "support/by_address.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { CLASS = SMALL_CLASSES - 1, PER_SLAB = 16, SLABS = 24 }; // blocks of 1 KiB

static char *g_blocks[SLABS * PER_SLAB];

static void start(void)
{
    cr_assert(span_start(true));
    cr_assert(slot_start(SLOT_AUTO));
}

/* Slabs in which the first `left` blocks stay in use, full of sevens. */
static void fill_with(unsigned left)
{
    for (unsigned count = 0; count < SLABS * PER_SLAB;) {
        list_word list = depot_fetch(CLASS).list;
        for (; !list_is_empty(list); list = list_link(list_first(list))) {
            g_blocks[count++] = list_first(list);
        }
    }
    qsort(g_blocks, SLABS * PER_SLAB, sizeof *g_blocks, by_address);
    for (unsigned i = 0; i < SLABS * PER_SLAB; i++) {
        memset(g_blocks[i], 7, 1024);
    }
    for (unsigned i = 0; i < SLABS * PER_SLAB; i++) {
        if (i % PER_SLAB >= left) {
            depot_return(CLASS, list_push(list_empty(), g_blocks[i]));
        }
    }
    depot_sweep(CLASS);
    depot_sweep(CLASS);
    depot_check();
    cr_assert_eq(depot_counts(CLASS).slabs, SLABS);
}

static void start_with(unsigned left)
{
    start();
    fill_with(left);
}

static unsigned purged_slabs(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < SLABS; i++) {
        count += slab_of(g_blocks[i * PER_SLAB])->purged != 0;
    }
    return count;
}

static void check_contents(unsigned left)
{
    for (unsigned i = 0; i < SLABS * PER_SLAB; i++) {
        for (unsigned k = 0; i % PER_SLAB < left && k < 1024; k++) {
            cr_assert_eq(g_blocks[i][k], 7);
        }
    }
    depot_check();
}

/* Purging slab by slab needs pages that are smaller than a slab. */
static bool has_small_pages(void)
{
    return os_page_bytes() < CHUNK_BYTES;
}

/* Without it a program that changes its sizes keeps a page for each block that lives on, and those
 * around it as well. */
Test(thin, free_pages_of_thin_slabs_go_back_and_live_blocks_stay)
{
    start_with(4);
    for (unsigned i = 0; i < 50; i++) {
        thin_out(CHUNK_BYTES);
        depot_check();
    }
    cr_assert_eq(purged_slabs(), has_small_pages() ? SLABS : 0);
    check_contents(4);
    cr_assert_eq(depot_counts(CLASS).slabs, SLABS);
}

/* Its pages would fault again at once. */
Test(thin, a_slab_with_more_in_use_is_left_alone)
{
    start_with(5);
    for (unsigned i = 0; i < 50; i++) {
        thin_out(CHUNK_BYTES);
    }
    cr_assert_eq(purged_slabs(), 0);
    check_contents(5);
}

/* THIN-1: it is part of a malloc, which must not take long. */
Test(thin, one_call_looks_at_a_few_slabs_only)
{
    start_with(1);
    thin_out(CHUNK_BYTES);
    unsigned first = purged_slabs();
    cr_assert(first > 0 || !has_small_pages());
    cr_assert_leq(first, 8);
    thin_out(CHUNK_BYTES); // goes on where the first one stopped
    cr_assert(purged_slabs() > first || !has_small_pages());
    cr_assert_leq(purged_slabs(), 16);
}

/* A heap of a few slabs among large blocks would be walked through chunk by chunk, for nothing. */
Test(thin, a_large_block_is_passed_in_one_step)
{
    bool clean = false;
    start();
    cr_assert_not_null(large_allocate(1000 * CHUNK_BYTES, CHUNK_BYTES, &clean));
    fill_with(1);
    thin_out(CHUNK_BYTES);
    cr_assert(purged_slabs() > 0 || !has_small_pages());
}

/* What was looked at in vain would be looked at for ever. */
Test(thin, a_slab_is_looked_at_again_when_less_of_it_is_in_use)
{
    start_with(2);
    for (unsigned i = 0; i < 50; i++) {
        thin_out(CHUNK_BYTES);
    }
    list_word home = depot_fetch(CLASS).list; // what is left of the page of the two
    struct chunk *slab = slab_of(list_first(home));
    list_word carved = depot_fetch(CLASS).list; // a purged page, anew
    cr_assert_eq(slab_of(list_first(carved)), slab);
    depot_return(CLASS, home);
    depot_return(CLASS, carved);
    depot_sweep(CLASS);
    depot_sweep(CLASS);
    unsigned purged = slab->purged;
    for (unsigned i = 0; i < 50; i++) {
        thin_out(CHUNK_BYTES);
    }
    cr_assert_eq(slab->purged, purged);
    depot_return(CLASS, list_push(list_empty(), slab_start(slab)));
    depot_sweep(CLASS);
    depot_sweep(CLASS);
    for (unsigned i = 0; i < 50; i++) {
        thin_out(CHUNK_BYTES);
    }
    cr_assert(slab->purged != purged || !has_small_pages());
}

/* purge:0 keeps everything, for comparison. */
Test(thin, nothing_goes_back_where_purging_is_off)
{
    start_with(1);
    purge_configure(&(struct purge_settings){.enabled = false});
    for (unsigned i = 0; i < 50; i++) {
        thin_out(CHUNK_BYTES);
    }
    cr_assert_eq(purged_slabs(), 0);
}

/* Nobody asks for that class any more: its depot is swept on the way, class by class. */
Test(thin, what_depots_keep_in_vain_goes_home)
{
    start_with(16);
    list_word list = list_empty();
    for (unsigned i = 0; i < 2; i++) {
        list = list_push(list, g_blocks[i]);
    }
    depot_return(CLASS, list);
    for (unsigned i = 0; i < 2 * CLASSES; i++) {
        thin_out(CHUNK_BYTES);
    }
    depot_check();
    cr_assert_eq(depot_counts(CLASS).magazine_blocks, 0);
}
