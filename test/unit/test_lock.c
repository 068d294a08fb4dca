/* test_lock.c - the futex mutex and the order of all locks. */
#include "base/lock.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>

enum { THREADS = 4, ROUNDS = 50000 };

static struct lock g_lock = LOCK_INIT(LOCK_PAGE_HEAP);
static struct lock g_other = LOCK_INIT(LOCK_META);
static long g_counter;

static void *count(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        lock_acquire(&g_lock);
        g_counter++;
        lock_release(&g_lock);
    }
    return unused;
}

/* Lost updates or a lost wake-up (the test would hang) mean corrupted heaps. */
Test(lock, one_thread_at_a_time, .timeout = 60)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_assert_eq(g_counter, (long)THREADS * ROUNDS);
}

static void *try_held(void *taken)
{
    *(bool *)taken = lock_try_acquire(&g_lock);
    return NULL;
}

/* Transfer pools rely on it: nobody waits for a preempted thread. */
Test(lock, try_acquire_fails_at_once_when_held)
{
    bool taken = true;
    pthread_t thread;
    lock_acquire(&g_lock);
    cr_assert_eq(pthread_create(&thread, NULL, try_held, &taken), 0);
    pthread_join(thread, NULL);
    cr_assert_not(taken);
    lock_release(&g_lock);
    cr_assert(lock_try_acquire(&g_lock));
    lock_release(&g_lock);
}

/* Locks go down the floors; a debug build dies on the first inversion, not on the deadlock. */
Test(lock, locks_in_order_are_fine)
{
    lock_acquire(&g_lock);
    lock_acquire(&g_other);
    lock_release(&g_other);
    lock_release(&g_lock);
}

Test(lock, an_inversion_dies, .signal = SIGABRT)
{
    lock_acquire(&g_other);
    lock_acquire(&g_lock);
}
