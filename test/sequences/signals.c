/* signals.c - two threads work against a model, and pass blocks on, while a timer interrupts each
 * of them ten thousand times a second with a handler that takes and gives blocks of the same
 * classes. OPERATIONS  of both threads; at most 18 seconds
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "support/extensions.h"
#include "support/harness.h"
#include "support/stamp.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum {
    OPERATIONS = 20000000,
    THREADS = 2,
    MODEL = 300,
    MAILBOXES = 64,
    KEPT = 16,
    SECONDS_MAX = 18,
};

static _Atomic(void *) g_mailboxes[MAILBOXES];
static atomic_ulong g_done, g_handled, g_refused;
static _Thread_local void *t_kept[KEPT];
static _Thread_local uint64_t t_handler_random;

static void handle(int signal_number)
{
    (void)signal_number;
    int error = errno;
    for (unsigned i = 0; i < 3; i++) {
        unsigned at = stamp_random(&t_handler_random) % KEPT;
        stamp_free(t_kept[at]);
        t_kept[at] = stamp_malloc(stamp_random_bytes(&t_handler_random) % 500 + 16, at);
        atomic_fetch_add(&g_refused, t_kept[at] == NULL);
    }
    atomic_fetch_add(&g_handled, 1);
    errno = error;
}

static void set_timer(timer_t timer, long nanoseconds)
{
    const struct itimerspec spec = {{0, nanoseconds}, {0, nanoseconds}};
    REQUIRE_EQUAL(timer_settime(timer, 0, &spec, NULL), 0);
}

static void operate(void **model, uint64_t *random)
{
    uint32_t seed = stamp_random(random);
    unsigned at = stamp_random(random) % MODEL;
    void *block = model[at];
    if (block == NULL) {
        model[at] = stamp_malloc(stamp_random_bytes(random), seed);
        REQUIRE(model[at] != NULL);
    } else if (seed % 8 == 0) { // another thread frees it
        stamp_check(block);
        model[at] = atomic_exchange(&g_mailboxes[seed / 8 % MAILBOXES], block);
    } else if (seed % 8 == 1) {
        struct stamp stamp = stamp_check(block);
        uint32_t bytes = stamp_random_bytes(random);
        model[at] = realloc(block, bytes);
        REQUIRE(model[at] != NULL && memcmp(model[at], &stamp, sizeof stamp) == 0);
        stamp_set(model[at], bytes, seed);
    } else {
        stamp_free(block);
        model[at] = NULL;
    }
}

static unsigned long wanted(void)
{
    const char *operations = getenv("OPERATIONS");
    return operations != NULL ? strtoul(operations, NULL, 10) : OPERATIONS;
}

static void *work(void *seed)
{
    void *model[MODEL] = {NULL};
    uint64_t random = (uintptr_t)seed;
    t_handler_random = random + 1000;
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    REQUIRE_EQUAL(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    set_timer(timer, 100000);
    time_t end = time(NULL) + SECONDS_MAX;
    unsigned long count = 0;
    for (unsigned long most = wanted() / THREADS; count < most; count++) {
        operate(model, &random);
        if (count % 4096 == 0 && time(NULL) > end) {
            break;
        }
    }
    set_timer(timer, 0);
    timer_delete(timer);
    for (unsigned i = 0; i < MODEL; i++) {
        stamp_free(model[i]);
    }
    for (unsigned i = 0; i < KEPT; i++) {
        stamp_free(t_kept[i]);
    }
    atomic_fetch_add(&g_done, count);
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < MAILBOXES; i++) {
        stamp_free(atomic_exchange(&g_mailboxes[i], NULL));
    }
}

static int count_used(const struct myalloc_block *block, void *count)
{
    *(size_t *)count += block->state == MYALLOC_IN_USE;
    return 0;
}

TEST(two_threads_work_under_a_timer_of_ten_kilohertz)
{
    ONLY_LIBRARY();
    const struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    REQUIRE_EQUAL(sigaction(SIGRTMIN, &action, NULL), 0);
    size_t before = 0;
    size_t after = 0;
    REQUIRE_EQUAL(myalloc_walk(count_used, &before), 0);
    run_threads();
    REQUIRE_EQUAL(myalloc_walk(count_used, &after), 0);
    dprintf(1, "# %lu operations, %lu signals, %lu requests of handlers refused\n", g_done,
            g_handled, g_refused);
    REQUIRE(g_handled > 100 && g_refused < g_handled);
    REQUIRE(after <= before + 8); // stacks, and what libc keeps of threads
}
