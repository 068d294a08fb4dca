/* test_inherited.c - blocks that a child of a fork frees in slabs from before. */
#include "core/inherited.h"
#include "core/depot.h"
#include "core/slab.h"
#include "core/slot.h"
#include "pages/span.h"

#include <criterion/criterion.h>

enum { SC = 3 };

static struct chunk *slab;

static void start(void)
{
    cr_assert(span_start(true));
    cr_assert(slot_start(SLOT_AUTO));
    list_word list = depot_fetch(SC).list;
    cr_assert_not(list_is_empty(list));
    slab = slab_of(list_first(list));
}

/* As in a child: this process has no other thread. */
static void start_as_child(void)
{
    start();
    inherited_postfork_child();
}

/* Else every free would take a slow path. */
Test(inherited, no_slab_is_inherited_before_a_fork, .init = start)
{
    cr_assert_not(g_inherited_any);
    cr_assert_not(inherited_is_slab(page_map_index(slab)));
    cr_assert_eq(inherited_count(slab), 0);
}

Test(inherited, frees_of_older_slabs_miss_in_the_child, .init = start_as_child)
{
    cr_assert(inherited_is_slab(page_map_index(slab)));
    cr_assert_eq(page_map_bin(page_map_index(slab)), 0);
    list_word list = depot_fetch(SC + 4).list;
    cr_assert_not(list_is_empty(list));
    cr_assert_not(inherited_is_slab(page_map_find(list_first(list)))); // made afterwards
}

/* A heap that is shorter at the next fork was an assertion that failed. */
Test(inherited, a_child_that_gave_back_the_end_of_its_heap_forks_again, .init = start)
{
    bool clean = false;
    size_t length = 4096;
    size_t index = span_allocate(length, 1, false, &clean);
    cr_assert_neq(index, 0);
    inherited_postfork_child();
    size_t before = page_map_count();
    span_free(index, length);
    span_trim(0);
    cr_assert_lt(page_map_count(), before);
    inherited_postfork_child();
    cr_assert(inherited_is_slab(page_map_index(slab)));
    cr_assert(inherited_mark(slab, 5));
    cr_assert_eq(inherited_find(SC), slab);
}

/* INHERITED-1 */
Test(inherited, a_slab_is_found_while_it_has_marks, .init = start_as_child)
{
    cr_assert_null(inherited_find(SC));
    cr_assert(inherited_mark(slab, 5));
    cr_assert(inherited_mark(slab, 6));
    cr_assert_eq(inherited_find(SC), slab);
    cr_assert_null(inherited_find(SC + 1));
    cr_assert_eq(inherited_count(slab), 2);
    inherited_forget(slab);
    cr_assert_null(inherited_find(SC));
    cr_assert_eq(inherited_count(slab), 0);
}

Test(inherited, a_second_free_is_noticed, .init = start_as_child)
{
    cr_assert(inherited_mark(slab, 5));
    cr_assert_not(inherited_mark(slab, 5));
    cr_assert(inherited_is_marked(slab, 5));
    cr_assert_not(inherited_is_marked(slab, 4));
}

/* INHERITED-2: what was marked comes home once, and frees hit again. */
Test(inherited, marked_blocks_come_home, .init = start_as_child)
{
    unsigned free_before = slab_free_count(slab);
    inherited_mark(slab, 0);
    inherited_mark(slab, 1);
    inherited_collect(slab);
    cr_assert_eq(slab_free_count(slab), free_before + 2);
    cr_assert_eq(inherited_count(slab), 0);
    cr_assert_not(inherited_is_slab(page_map_index(slab)));
    cr_assert_eq(page_map_bin(page_map_index(slab)), SC + 1);
}
