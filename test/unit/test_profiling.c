/* test_profiling.c - requests from outside, and the files that answer them. */
#include "profile/profiling.h"
#include "base/os.h"
#include "core/slot.h"
#include "core/thread.h"
#include "myalloc_live.h"
#include "pages/span.h"
#include "support/empty_name.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIGNAL = 12, PATH = 4096 };

static char g_folder[] = "/tmp/myalloc-profiling." EMPTY_NAME;
static _Atomic(bool) g_looks;
static unsigned g_purges, g_depth, g_missed, g_chosen;
static bool g_asks_again;

static void choose_paths(void)
{
    g_chosen++;
}

static void miss_once(void)
{
    g_missed++;
}

static void ask(int request)
{
    cr_assert_eq(sigqueue(getpid(), SIGNAL, (union sigval){.sival_int = request}), 0);
}

/* Inside a request: another one comes, as it would to another thread. */
static bool purge(void)
{
    g_purges++;
    g_depth++;
    cr_assert_eq(g_depth, 1);
    if (g_asks_again) {
        g_asks_again = false;
        ask(MYALLOC_LIVE_PURGE);
        profiling_tick();
    }
    g_depth--;
    return true;
}

static void start(void)
{
    cr_assert_not_null(mkdtemp(g_folder));
    setenv("XDG_RUNTIME_DIR", g_folder, 1);
    cr_assert(span_start(true));
    cr_assert(slot_start(SLOT_BY_THREAD));
    g_options.profile_signal = SIGNAL;
    g_options.profile_bytes = 1;
    profiling_arm(&(struct profiling_host){&g_looks, choose_paths, miss_once, purge});
}

static FILE *answer(const char *ending)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/myalloc/%d%s", g_folder, (int)getpid(), ending);
    FILE *file = fopen(path, "r");
    unlink(path);
    return file;
}

static void end(void)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/myalloc", g_folder);
    cr_assert_eq(rmdir(path), 0); // PROFILING-1: nothing else was left there
    cr_assert_eq(rmdir(g_folder), 0);
}

/* DUMP-1: else a reader takes our lines for stacks. PROFILING-1: to its end. */
static unsigned stacks_in(FILE *file)
{
    char line[PATH];
    unsigned stacks = 0;
    unsigned maps = 0;
    cr_assert_not_null(file);
    cr_assert_not_null(fgets(line, sizeof line, file));
    cr_assert_eq(strncmp(line, "heap profile: ", 14), 0);
    while (fgets(line, sizeof line, file) != NULL && strcmp(line, "MAPPED_LIBRARIES:\n") != 0) {
        if (isdigit((unsigned char)line[0])) {
            uint64_t counts[4];
            int used = 0;
            sscanf(line, "%lu: %lu [%lu: %lu] @ 0x%n", &counts[0], &counts[1], &counts[2],
                   &counts[3], &used);
            cr_assert_gt(used, 0);
            stacks++;
        } else {
            cr_assert(line[0] == '#' || line[0] == '\n');
        }
    }
    while (fgets(line, sizeof line, file) != NULL) {
        maps++;
    }
    cr_assert_gt(maps, 3);
    fclose(file);
    return stacks;
}

Test(profiling, requests_are_answered_by_whole_files, .init = start, .fini = end)
{
    static char block[16];
    ask(MYALLOC_LIVE_PROFILE_START);
    cr_assert(profile_is_on());
    cr_assert_eq(stacks_in(answer(".heap")), 0);
    cr_assert(thread_enter(NULL));
    profile_note(block, sizeof block, __builtin_return_address(0));
    thread_leave();
    ask(MYALLOC_LIVE_PROFILE_DUMP);
    cr_assert_eq(stacks_in(answer(".heap")), 1);
    ask(MYALLOC_LIVE_PROFILE_STOP);
    cr_assert_not(profile_is_on());
    cr_assert_eq(stacks_in(answer(".heap")), 1);
    cr_assert_geq(g_chosen, 2);
    ask(MYALLOC_LIVE_PURGE);
    cr_assert_eq(g_purges, 1);
    stacks_in(answer(".purge"));
    cr_assert_eq(g_missed, 0);
}

/* A handler that interrupts a slow path must not answer: locks may be held. */
Test(profiling, a_request_inside_a_slow_path_waits_for_the_next, .init = start, .fini = end)
{
    cr_assert(thread_enter(NULL));
    ask(MYALLOC_LIVE_PURGE);
    cr_assert_eq(g_purges, 0);
    cr_assert_eq(g_missed, 1);
    cr_assert(g_looks);
    profiling_tick();
    thread_leave();
    cr_assert_eq(g_purges, 1);
    stacks_in(answer(".purge"));
}

/* PROFILING-2: two that answered at once would mix their files. */
Test(profiling, one_request_is_answered_at_a_time, .init = start, .fini = end)
{
    g_asks_again = true;
    cr_assert(thread_enter(NULL));
    ask(MYALLOC_LIVE_PURGE);
    profiling_tick();
    cr_assert_eq(g_purges, 1);
    cr_assert_eq(g_missed, 2);
    stacks_in(answer(".purge"));
    profiling_tick();
    thread_leave();
    cr_assert_eq(g_purges, 2);
    stacks_in(answer(".purge"));
}
