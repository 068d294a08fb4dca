/* test_fall.c - when much less is in use than before, and how often that is told. */
#include "core/depot.h"
#include "core/fall.h"
#include "core/size_class.h"
#include "core/slot.h"
#include "pages/span.h"

#include <criterion/criterion.h>

enum { MAGAZINES = 40000, REST_FIRST = 16, REST_MOST = 2048 };

static const unsigned g_class = 30;
static list_word g_lists[MAGAZINES];
static size_t g_count, g_bytes;

static void start(void)
{
    cr_assert(span_start(true));
    cr_assert(slot_start(SLOT_AUTO));
    cr_assert(thread_enter(NULL));
}

// Takes and gives magazines until `bytes` are out.
static void change_to(size_t bytes)
{
    while (g_bytes < bytes) {
        cr_assert_lt(g_count, MAGAZINES);
        g_lists[g_count] = depot_fetch(g_class).list;
        cr_assert_not(list_is_empty(g_lists[g_count]));
        g_bytes += list_count(g_lists[g_count++]) * size_class_bytes(g_class);
    }
    while (g_bytes > bytes) {
        g_bytes -= list_count(g_lists[--g_count]) * size_class_bytes(g_class);
        depot_return(g_class, g_lists[g_count]);
    }
}

// Changes what is out, and looks; how many falls that was.
static size_t look_at(size_t bytes)
{
    size_t before = fall_count();
    change_to(bytes);
    fall_look(false);
    return fall_count() - before;
}

#define MIB (1024UL * 1024)

/* FALL-1 */
Test(fall, each_quarter_freed_is_one, .init = start)
{
    cr_assert_eq(look_at(16 * MIB), 0);
    cr_assert_eq(look_at(13 * MIB), 0);
    cr_assert_eq(look_at(11 * MIB), 1);
    cr_assert_eq(look_at(11 * MIB), 0);
    cr_assert_eq(look_at(9 * MIB), 0);
    cr_assert_eq(look_at(8 * MIB), 1);
    cr_assert_eq(look_at(3 * MIB), 1);
}

/* Swings, and ends low while it rests. */
static void end_in_rest(void)
{
    look_at(16 * MIB);
    cr_assert_eq(look_at(8 * MIB), 1);
    cr_assert_eq(look_at(16 * MIB), 0);
    cr_assert_eq(look_at(8 * MIB + MIB), 0);
}

Test(fall, the_last_of_a_swing_is_told_late, .init = start)
{
    end_in_rest();
    size_t falls = 0;
    for (unsigned i = 0; i < REST_FIRST - 2; i++) {
        cr_assert_eq(falls, 0);
        falls += look_at(8 * MIB + MIB);
    }
    cr_assert_eq(falls, 1);
    cr_assert_eq(look_at(8 * MIB + MIB), 0);
}

Test(fall, or_after_a_while, .init = start)
{
    end_in_rest();
    size_t falls = fall_count();
    fall_look(true);
    cr_assert_eq(fall_count(), falls + 1);
}

/* There a flush costs more than the caches hold. */
Test(fall, a_small_heap_does_not_fall, .init = start)
{
    for (unsigned i = 0; i < REST_MOST + 10; i++) {
        cr_assert_eq(look_at(MIB * 7 / 8), 0);
        cr_assert_eq(look_at(0), 0);
    }
}

// Falls while it swings between 16 and 8 MiB, `looks` times.
static size_t swing(unsigned looks)
{
    size_t falls = 0;
    for (unsigned i = 0; i < looks; i++) {
        falls += look_at(i % 2 == 0 ? 16 * MIB : 8 * MIB);
    }
    return falls;
}

/* A flush in each swing would cost more than it brings. */
Test(fall, what_rises_again_falls_anew_ever_more_rarely, .init = start)
{
    look_at(16 * MIB);
    cr_assert_eq(look_at(8 * MIB), 1);
    cr_assert_eq(swing(REST_FIRST - 2), 0);
    cr_assert_eq(swing(4), 1);
    cr_assert_eq(swing(2 * REST_FIRST - 4), 0);
    cr_assert_eq(swing(6), 1);
    cr_assert_leq(swing(REST_MOST), 7);
    cr_assert_eq(look_at(5 * MIB), 1); // it falls on
    cr_assert_leq(swing(2 * REST_MOST), 3);
}
