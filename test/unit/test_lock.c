/* test_lock.c - the futex mutex and the order of all locks. */
#include "base/lock.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 50000, STACK_BYTES = 1 << 20 };

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

/* LOCK-2: Lost updates or a lost wake-up (the test would hang) mean corrupted heaps. */
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

static sigjmp_buf g_back;

static void leave(int signal)
{
    (void)signal;
    siglongjmp(g_back, 1);
}

static void *hold(void *barrier)
{
    lock_acquire(&g_lock);
    pthread_barrier_wait(barrier);
    usleep(50000);
    pthread_kill(*(pthread_t *)((pthread_barrier_t *)barrier + 1), SIGUSR1);
    usleep(50000);
    lock_release(&g_lock);
    return NULL;
}

/* A handler may take locks when this says no; for ever, when it says yes for no reason. */
Test(lock, a_thread_knows_whether_it_holds_any)
{
    cr_assert_not(lock_holds_any());
    lock_acquire(&g_lock);
    cr_assert(lock_try_acquire(&g_other));
    lock_release(&g_other);
    cr_assert(lock_holds_any());
    lock_release(&g_lock);
    cr_assert_not(lock_holds_any());
    lock_open_fork_window();
    lock_acquire(&g_lock);
    cr_assert_not(lock_holds_any());
    lock_release(&g_lock);
    lock_close_fork_window();

    struct {
        pthread_barrier_t barrier;
        pthread_t self;
    } shared = {.self = pthread_self()};
    pthread_t holder;
    signal(SIGUSR1, leave);
    pthread_barrier_init(&shared.barrier, NULL, 2);
    cr_assert_eq(pthread_create(&holder, NULL, hold, &shared), 0);
    pthread_barrier_wait(&shared.barrier);
    cr_assert_not(lock_try_acquire(&g_lock));
    cr_assert_not(lock_holds_any());
    if (sigsetjmp(g_back, 1) == 0) {
        lock_acquire(&g_lock); // sleeps, and is left
        cr_assert_fail();
    }
    cr_assert_not(lock_holds_any());
    pthread_join(holder, NULL);
}

/* A thread whose thread pointer lies so many bytes above that of number 0. */
static pthread_t start_at(size_t number, size_t distance, void *(*run)(void *), void *argument)
{
    char *const first = (char *)((size_t)1 << 44);
    pthread_attr_t attributes;
    pthread_t thread;
    void *stack = mmap(first + number * distance, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    cr_assert_eq(stack, first + number * distance);
    pthread_attr_init(&attributes);
    cr_assert_eq(pthread_attr_setstack(&attributes, stack, STACK_BYTES), 0);
    cr_assert_eq(pthread_create(&thread, &attributes, run, argument), 0);
    return thread;
}

static pthread_barrier_t g_barrier;

static void *hold_for_fork(void *taken)
{
    lock_begin_fork(false);
    *(bool *)taken = lock_acquire_for_fork(&g_lock);
    pthread_barrier_wait(&g_barrier);
    pthread_barrier_wait(&g_barrier);
    lock_release_after_fork(&g_lock);
    return NULL;
}

static void *look_at_held(void *is_held)
{
    pthread_barrier_wait(&g_barrier);
    *(bool *)is_held = lock_is_held_for_fork(&g_lock);
    pthread_barrier_wait(&g_barrier);
    return NULL;
}

/* A fork, or a look, would go without the lock of another thread, taking it for its own. */
Test(lock, no_two_threads_are_taken_for_one)
{
    for (unsigned shift = 21; shift <= 44; shift++) { // 128 GiB are 2^37
        bool is_taken = false;
        bool is_held = true;
        pthread_barrier_init(&g_barrier, NULL, 2);
        pthread_t holder = start_at(0, 0, hold_for_fork, &is_taken);
        pthread_t other = start_at(1, (size_t)1 << shift, look_at_held, &is_held);
        pthread_join(holder, NULL);
        pthread_join(other, NULL);
        cr_assert(is_taken);
        cr_assert_not(is_held, "2^%u bytes", shift);
        munmap((void *)((size_t)1 << 44), STACK_BYTES);
        munmap((char *)((size_t)1 << 44) + ((size_t)1 << shift), STACK_BYTES);
    }
}

/* The word that sleepers watch has 32 bits: these threads look the same there. */
Test(lock, threads_with_one_lower_half_wake_each_other, .timeout = 60)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        threads[i] = start_at(i, (size_t)1 << 32, count, NULL);
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
