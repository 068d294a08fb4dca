/* h16_signals.c - a signal handler that allocates inside an interrupted malloc must not hang; a
 * request that cannot be served there may be refused, but not all of them. malloc is not
 * async-signal-safe: a handler that interrupts the fast path in the middle may not use the same
 * size; every slow path, and with it every larger size, it may interrupt.
 *   SIGNALS  handled, at 10 kHz
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/harness.h"

enum { SIGNALS = 5000, OWN_BYTES = 300 /* that no churning thread asks for */ };

static atomic_int g_handled_count;
static atomic_int g_served_count;
static int g_handled_wanted = SIGNALS;

static void allocate_in_handler(int signal_number)
{
    static atomic_uint g_turn;
    size_t bytes = g_tier_sizes[atomic_fetch_add(&g_turn, 1) % (g_tier_size_count - 4)];
    bytes = bytes <= 1024 ? OWN_BYTES : bytes;
    char *block = malloc(bytes);
    if (block != NULL) {
        memset(block, signal_number, bytes < 4096 ? bytes : 4096);
        free(block);
        atomic_fetch_add(&g_served_count, 1);
    }
    atomic_fetch_add(&g_handled_count, 1);
}

static void start_timer(void)
{
    const char *signals = getenv("SIGNALS");
    g_handled_wanted = signals != NULL ? atoi(signals) : SIGNALS;
    struct sigaction action = {.sa_handler = allocate_in_handler, .sa_flags = SA_RESTART};
    REQUIRE_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    const struct itimerval every_100_us = {{0, 100}, {0, 100}};
    REQUIRE_EQUAL(setitimer(ITIMER_REAL, &every_100_us, NULL), 0);
}

static void *churn_until_handled(void *unused)
{
    for (unsigned i = 0; atomic_load(&g_handled_count) < g_handled_wanted; i++) {
        size_t bytes = g_tier_sizes[i % (g_tier_size_count - 4)];
        unsigned char *block = malloc(bytes);
        REQUIRE(block != NULL);
        block[0] = (unsigned char)i;
        block[bytes - 1] = (unsigned char)i;
        block = realloc(block, bytes + 20);
        REQUIRE(block != NULL && block[0] == (unsigned char)i);
        free(block);
    }
    return unused;
}

TEST(a_handler_may_allocate_inside_malloc)
{
    ONLY_LIBRARY();
    start_timer();
    (void)churn_until_handled(NULL);
    REQUIRE(g_served_count > g_handled_wanted / 10);
}

TEST(handlers_may_allocate_while_threads_allocate)
{
    ONLY_LIBRARY();
    pthread_t threads[2];
    start_timer();
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, churn_until_handled, NULL), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
    }
}

static void mask(int how)
{
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    REQUIRE_EQUAL(pthread_sigmask(how, &alarm, NULL), 0);
}

static void *allocate_once(void *unused)
{
    mask(SIG_UNBLOCK);
    void *block = malloc(100);
    REQUIRE(block != NULL);
    free(block);
    return unused;
}

/* Half of a short thread's time is binding its heap and giving it back. */
TEST(handlers_may_allocate_while_threads_begin_and_end)
{
    ONLY_LIBRARY();
    mask(SIG_BLOCK); // in this thread, which waits
    start_timer();
    while (atomic_load(&g_handled_count) < g_handled_wanted) {
        pthread_t threads[2];
        for (size_t i = 0; i < COUNT_OF(threads); i++) {
            REQUIRE_EQUAL(pthread_create(&threads[i], NULL, allocate_once, NULL), 0);
        }
        for (size_t i = 0; i < COUNT_OF(threads); i++) {
            pthread_join(threads[i], NULL);
        }
    }
}

enum { KEPT = 32 };

/* Keeps its last blocks, and looks whether somebody else wrote to one. */
static void keep_in_handler(int signal_number)
{
    static _Thread_local unsigned char *kept[KEPT];
    static _Thread_local unsigned next;
    unsigned char *block = malloc(OWN_BYTES);
    if (block != NULL) {
        memset(block, signal_number, OWN_BYTES);
        unsigned char *oldest = kept[next % KEPT];
        for (size_t i = 0; oldest != NULL && i < OWN_BYTES; i++) {
            REQUIRE(oldest[i] == signal_number);
        }
        free(oldest);
        kept[next++ % KEPT] = block;
    }
    atomic_fetch_add(&g_handled_count, 1);
}

/* The more a thread has at hand, the longer it dies. */
static void *allocate_many(void *unused)
{
    mask(SIG_UNBLOCK);
    for (size_t bytes = 16; bytes <= 1024; bytes += 16) {
        void *block = malloc(bytes == 304 || bytes == 320 ? 16 : bytes);
        REQUIRE(block != NULL);
        free(block);
    }
    usleep(200); // some signals meet it here
    return unused;
}

/* What dies is not what the handler has in its hands: its blocks are put back once only. */
TEST(blocks_of_a_handler_are_its_own_while_threads_end)
{
    ONLY_LIBRARY();
    mask(SIG_BLOCK);
    start_timer();
    const struct sigaction action = {.sa_handler = keep_in_handler, .sa_flags = SA_RESTART};
    REQUIRE_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    while (atomic_load(&g_handled_count) < 4 * g_handled_wanted) {
        pthread_t thread;
        REQUIRE_EQUAL(pthread_create(&thread, NULL, allocate_many, NULL), 0);
        pthread_join(thread, NULL);
    }
}

static void *_Atomic g_passed; // to the handler, which frees it

static void free_in_handler(int signal_number)
{
    (void)signal_number;
    void *block = atomic_exchange(&g_passed, NULL);
    if (block != NULL) {
        free(block);
        atomic_fetch_add(&g_handled_count, 1);
    }
}

/* What a handler frees while its thread is inside malloc waits until that is over. */
TEST(a_handler_may_free_inside_malloc)
{
    ONLY_LIBRARY();
    start_timer();
    const struct sigaction action = {.sa_handler = free_in_handler, .sa_flags = SA_RESTART};
    REQUIRE_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    for (unsigned i = 0; atomic_load(&g_handled_count) < g_handled_wanted / 5; i++) {
        if (atomic_load(&g_passed) == NULL) {
            void *block = malloc(2000 + i % 20000);
            REQUIRE(block != NULL);
            atomic_store(&g_passed, block);
        }
        void *large = malloc(40000 + i % 400000);
        REQUIRE(large != NULL);
        free(large);
    }
}

enum { THINNED = 200000, THINNED_BYTES = 160, ONE_IN = 51 /* 102 lie in a slab */ };

#define ALL_LEFT (THINNED / ONE_IN + 1)
static void *g_left[ALL_LEFT];
static atomic_size_t g_left_next;

static void free_left(int signal_number)
{
    (void)signal_number;
    for (int i = 0; i < 2 && g_left_next < ALL_LEFT; i++) {
        free(g_left[g_left_next++]);
    }
}

/* Slabs with two blocks left lose pages while the heap grows, and malloc_trim takes them too: what
   a handler frees there meanwhile is free afterwards. */
TEST(what_a_handler_frees_while_pages_go_back_is_not_lost)
{
    ONLY_LIBRARY();
    static void *thinned[THINNED], *grown[THINNED];
    size_t count = 0;
    size_t in_use = mallinfo2().uordblks;
    for (int round = 0; round < 4; round++) {
        const struct sigaction action = {.sa_handler = free_left, .sa_flags = SA_RESTART};
        const struct itimerval every_50_us = {{0, 50}, {0, 50}};
        const struct itimerval never = {{0, 0}, {0, 0}};
        for (size_t i = 0; i < THINNED; i++) {
            thinned[i] = malloc(THINNED_BYTES);
            REQUIRE(thinned[i] != NULL);
        }
        for (size_t i = 0; i < THINNED; i++) {
            if (i % ONE_IN == 0) {
                g_left[i / ONE_IN] = thinned[i];
            } else {
                free(thinned[i]);
            }
        }
        g_left_next = 0;
        REQUIRE_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
        REQUIRE_EQUAL(setitimer(ITIMER_REAL, &every_50_us, NULL), 0);
        for (count = 0; count < THINNED && g_left_next < ALL_LEFT; count++) {
            grown[count] = malloc(900);
        }
        REQUIRE_EQUAL(setitimer(ITIMER_REAL, &never, NULL), 0);
        while (g_left_next < ALL_LEFT) {
            free_left(0);
        }
        for (size_t i = 0; i < count; i++) {
            free(grown[i]);
        }
    }
    malloc_trim(0);
    REQUIRE(mallinfo2().uordblks <= in_use + 64);
}
