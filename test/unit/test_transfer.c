/* test_transfer.c - batches between threads: last in, first out, and what nobody wants goes home.
 */
#include "heap/transfer.h"

#include <criterion/criterion.h>

enum { CLASS = 3 };

static char g_blocks[4];

static struct batch batch(unsigned i)
{
    return (struct batch){&g_blocks[i], i + 1};
}

/* The last batch is the one whose blocks are still in some cache. */
Test(transfer, the_newest_batch_is_taken_first)
{
    cr_assert(transfer_put(CLASS, batch(0)));
    cr_assert(transfer_put(CLASS, batch(1)));
    cr_assert_eq(transfer_count(CLASS), 3);
    cr_assert_eq(transfer_take(CLASS).head, &g_blocks[1]);
    cr_assert_eq(transfer_take(CLASS).head, &g_blocks[0]);
    cr_assert_null(transfer_take(CLASS).head);
    cr_assert_null(transfer_take(CLASS + 1).head);
}

/* Else the slabs of a class that went out of use would stay for ever. */
Test(transfer, what_lay_through_a_whole_period_is_stale)
{
    cr_assert(transfer_put(CLASS, batch(0)));
    cr_assert(transfer_put(CLASS, batch(1)));
    transfer_sweep(CLASS);
    cr_assert_null(transfer_take_stale(CLASS).head);
    cr_assert(transfer_put(CLASS, batch(2)));
    transfer_sweep(CLASS);
    cr_assert_eq(transfer_take_stale(CLASS).head, &g_blocks[0]);
    cr_assert_eq(transfer_take_stale(CLASS).head, &g_blocks[1]);
    cr_assert_null(transfer_take_stale(CLASS).head);
    cr_assert_eq(transfer_take(CLASS).head, &g_blocks[2]);
}

/* A batch below those that come and go all the time is idle; one that was reached is not. */
Test(transfer, a_batch_that_was_taken_meanwhile_is_not_stale)
{
    cr_assert(transfer_put(CLASS, batch(0)));
    transfer_sweep(CLASS);
    cr_assert_eq(transfer_take(CLASS).head, &g_blocks[0]);
    cr_assert(transfer_put(CLASS, batch(1)));
    transfer_sweep(CLASS);
    cr_assert_null(transfer_take_stale(CLASS).head);
}

Test(transfer, a_full_pool_refuses)
{
    unsigned count = 0;
    while (count < 1000 && transfer_put(CLASS, batch(3))) {
        count++;
    }
    cr_assert_leq(count, 16);
    cr_assert_eq(transfer_count(CLASS), 4 * count);
}
