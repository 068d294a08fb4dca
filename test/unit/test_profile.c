/* test_profile.c - which blocks are sampled, and what is known of them: by session, resize, free.
 */
#include "profile/profile.h"
#include "core/thread.h"
#include "profile/sites.h"

#include <criterion/criterion.h>

static _Alignas(16) char g_memory[64][16];

/* Each block is a sample. */
static void start(void)
{
    cr_assert(thread_enter(NULL));
    cr_assert(profile_begin(1));
}

static void note(unsigned i, size_t bytes)
{
    profile_note(g_memory[i], bytes, __builtin_return_address(0));
}

Test(profile, blocks_are_counted_until_they_are_freed, .init = start)
{
    for (unsigned i = 0; i < 64; i++) {
        cr_assert(profile_wants(10 + i));
        note(i, 10 + i);
    }
    cr_assert_eq(profile_live_bytes(), 64 * 10 + 63 * 32);
    for (unsigned i = 0; i < 32; i++) {
        profile_forget(g_memory[i]);
        profile_forget(g_memory[i]); // not sampled any more
    }
    cr_assert_eq(profile_live_bytes(), 32 * 42 + 31 * 16);
    profile_end();
    cr_assert_not(profile_wants(10));
    profile_forget(g_memory[40]); // known to the end
    cr_assert_eq(profile_live_bytes(), 32 * 42 + 31 * 16 - 50);
}

/* `to`: NULL when it fails. */
static void end_resize(const struct profile_hold *hold, unsigned from, const void *to,
                       struct profile_sizes sizes)
{
    profile_resized(hold, g_memory[from], to, &sizes, __builtin_return_address(0));
}

static void resize(unsigned from, const void *to, size_t before, size_t after)
{
    struct profile_hold hold;
    profile_hold(&hold, g_memory[from]);
    end_resize(&hold, from, to, (struct profile_sizes){before, after});
}

Test(profile, a_resized_block_is_counted_once, .init = start)
{
    note(1, 100);
    resize(1, g_memory[2], 100, 250);
    cr_assert_eq(profile_live_bytes(), 250);
    profile_forget(g_memory[1]);
    cr_assert_eq(profile_live_bytes(), 250);
    resize(2, g_memory[2], 250, 50);
    cr_assert_eq(profile_live_bytes(), 50);
    resize(3, g_memory[3], 10, 80); // it was none: its growth is a request
    cr_assert_eq(profile_live_bytes(), 130);
    profile_forget(g_memory[2]);
    profile_forget(g_memory[3]);
    cr_assert_eq(profile_live_bytes(), 0);
}

Test(profile, a_resize_that_fails_changes_nothing, .init = start)
{
    note(1, 100);
    resize(1, NULL, 100, 200);
    cr_assert_eq(profile_live_bytes(), 100);
    profile_forget(g_memory[1]);
    cr_assert_eq(profile_live_bytes(), 0);
}

Test(profile, a_session_knows_nothing_of_the_one_before, .init = start)
{
    note(1, 100);
    profile_end();
    cr_assert(profile_begin(1));
    cr_assert_eq(profile_live_bytes(), 0);
    profile_forget(g_memory[1]);
    cr_assert_eq(profile_live_bytes(), 0);
}

/* Its site counts nothing of it any more: a second subtraction would wrap. */
Test(profile, a_session_may_begin_while_a_block_is_resized, .init = start)
{
    struct profile_hold hold;
    note(1, 100);
    profile_hold(&hold, g_memory[1]);
    cr_assert(profile_begin(1));
    end_resize(&hold, 1, g_memory[2], (struct profile_sizes){100, 200});
    profile_forget(g_memory[2]);
    cr_assert_eq(profile_live_bytes(), 0);
    for (uint32_t i = 0; i < sites_count(); i++) {
        cr_assert_eq(sites_at(i)->live.sampled_blocks, 0);
        cr_assert_eq(sites_at(i)->live.sampled_bytes, 0);
    }
}

/* A lost sample is told, not forgotten. */
Test(profile, what_is_lost_is_counted_by_session, .init = start)
{
    profile_lose();
    profile_lose();
    cr_assert_eq(profile_facts().lost, 2);
    cr_assert_eq(profile_facts().mean_bytes, 1);
    cr_assert(profile_begin(1000));
    cr_assert_eq(profile_facts().lost, 0);
    cr_assert_eq(profile_facts().mean_bytes, 1000);
}

/* PROFILE-1: on average one in a thousand bytes, whatever the blocks. */
Test(profile, samples_come_by_bytes)
{
    enum { BLOCKS = 200000, MEAN = 1000 };
    cr_assert(thread_enter(NULL));
    cr_assert(profile_begin(MEAN));
    unsigned small = 0;
    unsigned large = 0;
    for (int i = 0; i < BLOCKS; i++) {
        small += profile_wants(10);
        large += profile_wants(3000);
    }
    cr_assert_float_eq(small / (BLOCKS * 0.00995), 1, 0.15);
    cr_assert_float_eq(large / (BLOCKS * 0.95021), 1, 0.02);
}
