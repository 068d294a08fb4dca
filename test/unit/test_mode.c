/* test_mode.c - which ways malloc and free take, by the options. */
#include "front/mode.h"
#include "base/options.h"
#include "core/cpu_cache.h"
#include "core/slot.h"
#include "front/api.h"
#include "front/start.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void start_with(const char *conf)
{
    setenv("MYALLOC_CONF", conf, 1);
    cr_assert_eq(start_once(), START_SERVING);
    api_free(api_malloc(1)); // the first one binds the thread
}

static size_t fast_bytes(void)
{
    return atomic_load(&g_fast_bytes);
}

/* MODE-1: any option that is asked for nothing must cost nothing. */
Test(mode, without_options_all_is_plain)
{
    start_with("");
    cr_assert(mode_is_plain());
    cr_assert(mode_frees_plainly());
    cr_assert_gt(fast_bytes(), 1);
    cr_assert_neq(t_thread.fast_area, (char *)t_thread.dummy);
}

/* MODE-2 */
Test(mode, perturb_sees_mallocs_and_frees)
{
    start_with("perturb:7");
    cr_assert_not(mode_is_plain());
    cr_assert_not(mode_frees_plainly());
    cr_assert_eq(fast_bytes(), 0);
    cr_assert_eq(t_thread.fast_area, (char *)t_thread.dummy);
}

Test(mode, harden_sees_mallocs)
{
    start_with("harden:1");
    cr_assert_not(mode_is_plain());
    cr_assert(mode_is(&g_mode.is_hardened));
    cr_assert(mode_is(&g_mode.is_quick));
    cr_assert_eq(fast_bytes(), 0);
}

Test(mode, guard_sees_mallocs_and_lets_frees_pass)
{
    start_with("guard:100");
    cr_assert(mode_is(&g_mode.samples));
    cr_assert_eq(fast_bytes(), 0);
    cr_assert_neq(t_thread.fast_area, (char *)t_thread.dummy);
}

/* MODE-2: M_PERTURB comes when the program already runs. */
Test(mode, an_option_that_comes_later_is_seen)
{
    start_with("");
    atomic_store(&g_options.perturb, 5);
    mode_choose_paths();
    cr_assert_not(mode_is_plain());
    cr_assert_eq(fast_bytes(), 0);
}
