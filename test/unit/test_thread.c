/* test_thread.c - what one thread has: the mark of a slow path, and the frees that wait for it. */
#include "core/thread.h"
#include "core/emergency.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

/* A handler that finds no mark would take a lock that its own thread holds. */
Test(thread, a_slow_path_is_entered_once)
{
    cr_assert_not(thread_is_interrupted());
    cr_assert(thread_enter(&g_list_end));
    cr_assert_eq(t_thread.caller, &g_list_end);
    cr_assert(thread_is_interrupted());
    cr_assert_not(thread_enter(NULL));
    cr_assert_eq(t_thread.caller, &g_list_end);
    thread_leave();
    cr_assert_not(thread_is_interrupted());
    cr_assert(thread_enter(NULL));
    thread_leave();
}

/* The inner one must not take the mark of the outer one away. */
Test(thread, bare_marks_nest)
{
    bool outer = thread_enter_bare();
    bool inner = thread_enter_bare();
    cr_assert(thread_is_interrupted());
    thread_leave_bare(inner);
    cr_assert(thread_is_interrupted());
    cr_assert_not(thread_enter(NULL));
    thread_leave_bare(outer);
    cr_assert_not(thread_is_interrupted());

    cr_assert(thread_enter(NULL));
    outer = thread_enter_bare();
    thread_leave_bare(outer);
    cr_assert(thread_is_interrupted());
    thread_leave();
    cr_assert_not(thread_is_interrupted());
}

static bool g_handler_entered;
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
