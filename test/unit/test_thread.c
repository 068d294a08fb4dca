/* test_thread.c - what one thread has: the mark of a slow path, and the frees that wait for it. */
#include "core/thread.h"
#include "base/lock.h"
#include "core/emergency.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>

static bool g_handler_entered;
static bool g_handler_interrupted;

static void try_to_enter(int signal)
{
    (void)signal;
    g_handler_interrupted = thread_is_interrupted();
    g_handler_entered = thread_enter(NULL);
}

/* A handler that finds no mark would take a lock that its own thread holds. */
Test(thread, a_slow_path_is_entered_once)
{
    signal(SIGUSR1, try_to_enter);
    cr_assert_not(thread_is_interrupted());
    cr_assert(thread_enter(&g_list_end));
    cr_assert_eq(t_thread.caller, &g_list_end);
    raise(SIGUSR1);
    cr_assert(g_handler_interrupted);
    cr_assert_not(g_handler_entered);
    cr_assert_eq(t_thread.caller, &g_list_end);
    thread_leave();
    cr_assert_not(thread_is_interrupted());
    cr_assert(thread_enter(NULL));
    thread_leave();
}

/* The inner one must not take the mark of the outer one away. */
Test(thread, bare_marks_nest)
{
    signal(SIGUSR1, try_to_enter);
    bool outer = thread_enter_bare();
    bool inner = thread_enter_bare();
    thread_leave_bare(inner);
    raise(SIGUSR1);
    cr_assert(g_handler_interrupted);
    cr_assert_not(g_handler_entered);
    thread_leave_bare(outer);
    cr_assert_not(thread_is_interrupted());

    cr_assert(thread_enter(NULL));
    outer = thread_enter_bare();
    thread_leave_bare(outer);
    raise(SIGUSR1);
    cr_assert(g_handler_interrupted);
    thread_leave();
    cr_assert_not(thread_is_interrupted());
}

static struct lock g_lock = LOCK_INIT(LOCK_META);
static sigjmp_buf g_back;

static void leave_for_good(int signal)
{
    (void)signal;
    siglongjmp(g_back, 1);
}

/* Runs a slow path whose handler leaves it by siglongjmp; `locks`: while it holds a lock. */
static __attribute__((noinline)) void lose_a_slow_path(bool locks)
{
    signal(SIGUSR1, leave_for_good);
    if (sigsetjmp(g_back, 1) == 0) {
        cr_assert(thread_enter(NULL));
        if (locks) {
            lock_acquire(&g_lock);
        }
        raise(SIGUSR1);
    }
}

/* Else the thread would be served from the reserve for ever. */
Test(thread, a_mark_whose_frame_is_gone_is_over)
{
    lose_a_slow_path(false);
    cr_assert(t_thread.inside != 0);
    cr_assert_not(thread_is_interrupted());
    lose_a_slow_path(false);
    cr_assert(thread_enter(&g_list_end));
    cr_assert_eq(t_thread.caller, &g_list_end);
    signal(SIGUSR1, try_to_enter); // and the next mark is one
    raise(SIGUSR1);
    cr_assert(g_handler_interrupted);
    cr_assert_not(g_handler_entered);
    thread_leave();
    cr_assert_not(thread_is_interrupted());
}

/* Who left with a lock in its hands would wait for itself. */
Test(thread, a_mark_of_a_thread_that_holds_a_lock_stays)
{
    lose_a_slow_path(true);
    cr_assert(lock_holds_any());
    for (int i = 0; i < 1000; i++) {
        cr_assert(thread_is_interrupted());
        cr_assert_not(thread_enter(NULL));
    }
    lock_release(&g_lock);
    cr_assert_not(lock_holds_any());
    cr_assert(thread_enter(NULL));
    thread_leave();
}

static __attribute__((noinline)) unsigned refusals_deep_below(void)
{
    volatile char frame[100000];
    unsigned refused = 0;
    frame[0] = 1;
    while (refused < 1000 && !thread_enter(NULL)) {
        refused += frame[0];
    }
    thread_leave();
    return refused;
}

/* It cannot be told from a handler by its frame, but handlers do not ask for ever. */
Test(thread, what_runs_below_a_frame_that_is_gone_is_served_soon)
{
    lose_a_slow_path(false);
    unsigned refused = refusals_deep_below();
    cr_assert_gt(refused, 10);
    cr_assert_lt(refused, 100);
    cr_assert_eq(refusals_deep_below(), 0);
}

static unsigned g_refused;

static void stay(int signal)
{
    (void)signal;
    g_refused = refusals_deep_below();
}

/* A handler that was served though its mark was none to take away: from then on the locks tell. */
Test(thread, a_path_that_goes_on_without_its_mark_is_not_entered_while_it_holds_a_lock)
{
    signal(SIGUSR1, stay);
    cr_assert(thread_enter(NULL));
    raise(SIGUSR1);
    cr_assert_gt(g_refused, 10);
    signal(SIGUSR1, try_to_enter);
    lock_acquire(&g_lock);
    raise(SIGUSR1);
    cr_assert_not(g_handler_entered);
    lock_release(&g_lock);
    thread_leave();
    cr_assert(thread_enter(NULL));
    thread_leave();
}

/* Without restartable sequences a handler may have interrupted the change of a slot. */
Test(thread, a_thread_with_a_slot_of_its_own_serves_no_handler_that_stays)
{
    static char slot;
    t_thread.own = (struct slot *)(void *)&slot;
    lose_a_slow_path(false);
    volatile char frame[4096];
    frame[0] = 0;
    for (int i = 0; i < 1000; i++) {
        t_thread.depth += 8192; // as if that frame had been far above this one
        cr_assert_not(thread_enter(NULL), "%d %d", i, frame[0]);
        t_thread.depth -= 8192;
    }
    cr_assert(thread_enter(NULL));
    thread_leave();
    t_thread.own = NULL;
}

static void *g_deferred;

static void handler(int signal)
{
    (void)signal;
    g_handler_entered = thread_enter(NULL);
    if (!g_handler_entered) {
        thread_defer_free(g_deferred, true);
    }
}

/* The reason for all of it: a handler in the middle of a slow path. */
Test(thread, a_handler_in_a_slow_path_is_kept_out_and_its_free_waits)
{
    static _Alignas(16) char block[THREAD_NOTE_BYTES];
    g_deferred = block;
    signal(SIGUSR1, handler);
    cr_assert(thread_enter(NULL));
    raise(SIGUSR1);
    thread_leave();
    cr_assert_not(g_handler_entered);
    cr_assert(thread_has_deferred());
    cr_assert_eq(thread_take_deferred(), block);
    cr_assert_not(thread_has_deferred());
}

/* In a block that may be written to the note stands in the block itself: there is always room. */
Test(thread, frees_that_wait_in_their_blocks_all_come_back)
{
    enum { COUNT = 30000 }; // more than there is room for elsewhere
    static _Alignas(16) char blocks[COUNT][THREAD_NOTE_BYTES];
    static bool is_back[COUNT];
    cr_assert_null(thread_take_deferred());
    cr_assert(thread_enter(NULL));
    for (unsigned i = 0; i < COUNT; i++) {
        thread_defer_free(blocks[i], true);
    }
    thread_leave();
    for (unsigned i = 0; i < COUNT; i++) {
        cr_assert(thread_has_deferred());
        char *block = thread_take_deferred();
        size_t index = (size_t)(block - blocks[0]) / THREAD_NOTE_BYTES;
        cr_assert_lt(index, COUNT);
        cr_assert_eq(block, blocks[index]);
        cr_assert_not(is_back[index]);
        is_back[index] = true;
    }
    cr_assert_null(thread_take_deferred());
}

/* A block that is not ours to write to, or may be freed for the second time. */
Test(thread, frees_that_wait_in_notes_leave_their_blocks_alone)
{
    static _Alignas(16) char blocks[10][THREAD_NOTE_BYTES];
    memset(blocks, 7, sizeof blocks);
    cr_assert(thread_enter(NULL));
    for (unsigned i = 0; i < 10; i++) {
        thread_defer_free(blocks[i], i % 2 == 1);
    }
    thread_leave();
    unsigned sum = 0;
    for (unsigned i = 0; i < 10; i++) {
        const char *block = thread_take_deferred();
        size_t index = (size_t)(block - blocks[0]) / THREAD_NOTE_BYTES;
        cr_assert_lt(index, 10);
        cr_assert(index % 2 == 1 || (block[0] == 7 && block[THREAD_NOTE_BYTES - 1] == 7));
        sum += 1U << index;
    }
    cr_assert_eq(sum, 1023);
    cr_assert_not(thread_has_deferred());
}

/* Their area grows as they come. */
Test(thread, a_hundred_thousand_notes_can_wait)
{
    static char block;
    unsigned back = 0;
    cr_assert(thread_enter(NULL));
    for (unsigned i = 0; i < 100000; i++) {
        thread_defer_free(&block, false);
    }
    thread_leave();
    while (thread_has_deferred()) {
        cr_assert_eq(thread_take_deferred(), &block);
        back++;
    }
    cr_assert_eq(back, 100000);
}

static void *look(void *result)
{
    bool *is_new = result;
    *is_new = !thread_is_interrupted() && !thread_has_deferred() && !t_thread.is_bound &&
              t_thread.area == NULL && t_thread.own == NULL && t_thread.fast_area != NULL;
    return NULL;
}

/* What one thread does is not known to another. */
Test(thread, a_new_thread_is_in_no_slow_path_and_bound_to_no_slot)
{
    static char block;
    bool is_new = false;
    pthread_t thread;
    cr_assert(thread_enter(NULL));
    thread_defer_free(&block, false);
    cr_assert_eq(pthread_create(&thread, NULL, look, &is_new), 0);
    pthread_join(thread, NULL);
    cr_assert(is_new);
    thread_leave();
}
