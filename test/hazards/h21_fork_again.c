/* h21_fork_again.c - fork from a handler that interrupted malloc or fork, and fork while stdio is
 * busy. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/extensions.h"
#include "support/harness.h"

enum { FORK_COUNT = 300, HANDLER_FORK_COUNT = 60 };

static atomic_int g_fork_count;
static atomic_bool g_stop;

static void use_heap(void)
{
    for (size_t i = 0; i < g_tier_size_count - 4; i += 2) {
        char *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        block[0] = 1;
        free(block);
    }
}

static void fork_and_wait(void (*live_as_child)(void))
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        live_as_child();
        _exit(0);
    }
    REQUIRE(pid > 0);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE_EQUAL(status, 0);
}

static void use_heap_briefly(void)
{
    alarm(20);
    use_heap();
}

/* The heap of this child is in the middle of a step; it may run another program, no more. */
static void run_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    _exit(1);
}

/* One signal, 3 ms from now: one every 3 ms would let a busy machine do nothing else. */
static void signal_soon(void)
{
    const struct itimerval in_3_ms = {{0, 0}, {0, 3000}};
    REQUIRE_EQUAL(setitimer(ITIMER_REAL, &in_3_ms, NULL), 0);
}

static void fork_in_handler(int signal_number)
{
    (void)signal_number;
    fork_and_wait(run_program);
    atomic_fetch_add(&g_fork_count, 1);
    signal_soon();
}

TEST(a_handler_may_fork_inside_malloc)
{
    struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
    REQUIRE_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    signal_soon();
    while (atomic_load(&g_fork_count) < FORK_COUNT) {
        use_heap();
    }
}

/* What interrupted a fork has a fork of its own, and ends it first. */
TEST(a_handler_may_fork_inside_fork)
{
    struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
    REQUIRE_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    signal_soon();
    while (atomic_load(&g_fork_count) < FORK_COUNT / 3) {
        fork_and_wait(use_heap);
    }
}

/* Its thread is inside of the heap, perhaps with a lock in its hands, and so are the others. */
static void live_in_handler(void)
{
    alarm(20);
    void *blocks[] = {malloc(300), malloc(5000), malloc(200000)};
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        free(blocks[i]);
    }
}

static void fork_to_allocate(int signal_number)
{
    (void)signal_number;
    fork_and_wait(live_in_handler);
    atomic_fetch_add(&g_fork_count, 1);
}

static void *use_heap_until_stop(void *unused)
{
    void *kept[64] = {NULL};
    for (unsigned i = 0; !atomic_load(&g_stop); i++) {
        void **block = &kept[i * 7 % COUNT_OF(kept)];
        free(*block);
        *block = malloc(g_tier_sizes[i % (g_tier_size_count - 4)] + i % 50 * 16);
    }
    return unused;
}

/* One may hold what another needs for its fork, and wait for what that one holds. glibc hangs at
 * the first such fork. */
TEST(handlers_of_threads_may_fork_inside_malloc)
{
    ONLY_LIBRARY();
    pthread_t threads[3];
    struct sigaction action = {.sa_handler = fork_to_allocate, .sa_flags = SA_RESTART};
    REQUIRE_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, use_heap_until_stop, NULL), 0);
    }
    for (unsigned i = 0; atomic_load(&g_fork_count) < HANDLER_FORK_COUNT; i++) {
        REQUIRE_EQUAL(pthread_kill(threads[i % COUNT_OF(threads)], SIGUSR1), 0);
        usleep(200);
        if (i % 16 == 0) {
            fork_and_wait(use_heap_briefly);
        }
    }
    atomic_store(&g_stop, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
    }
}

static void *read_lines(void *unused)
{
    while (!atomic_load(&g_stop)) {
        FILE *file = fopen("/proc/self/maps", "r");
        char *line = NULL;
        size_t bytes = 0;
        REQUIRE(file != NULL);
        while (getline(&line, &bytes, file) > 0) {
        }
        free(line);
        fclose(file);
    }
    return unused;
}

TEST(fork_while_threads_read_lines)
{
    pthread_t threads[2];
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, read_lines, NULL), 0);
    }
    for (int i = 0; i < FORK_COUNT; i++) {
        fork_and_wait(use_heap_briefly);
    }
    atomic_store(&g_stop, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
    }
}

static void allocate_large_in_handler(int signal_number)
{
    (void)signal_number;
    void *large = malloc(200000);
    void *medium = malloc(5000);
    free(large);
    free(medium);
}

/* While the handlers of fork take and give back every lock, no other handler may want one. */
TEST(a_handler_may_allocate_inside_fork)
{
    ONLY_LIBRARY();
    struct sigaction action = {.sa_handler = allocate_large_in_handler, .sa_flags = SA_RESTART};
    const struct itimerval every_200_us = {{0, 200}, {0, 200}};
    REQUIRE_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    REQUIRE_EQUAL(setitimer(ITIMER_REAL, &every_200_us, NULL), 0);
    for (int i = 0; i < FORK_COUNT; i++) {
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            free(malloc(200000));
            _exit(0);
        }
        int status = 1;
        REQUIRE_EQUAL(waitpid(child, &status, 0), child);
        REQUIRE_EQUAL(status, 0);
    }
}

static char g_fifo[64];
static pthread_t g_forking;
static atomic_bool g_let_go, g_came_early;

/* Holds the lock of the library's files for as long as the pipe has no other end. */
static void *open_fifo(void *unused)
{
    size_t bytes = 0;
    REQUIRE(myalloc_map_file(g_fifo, &bytes, 0) == NULL);
    return unused;
}

static void allocate_afresh(int signal_number)
{
    (void)signal_number;
    if (!atomic_load(&g_let_go)) {
        atomic_store(&g_came_early, true);
        return; // malloc would wait for this very thread
    }
    for (size_t bytes = 1; bytes < 300000; bytes += 1000) {
        REQUIRE(malloc(bytes) != NULL);
    }
}

static void *send_and_let_go(void *unused)
{
    usleep(100000);
    REQUIRE_EQUAL(pthread_kill(g_forking, SIGUSR1), 0);
    usleep(100000);
    atomic_store(&g_let_go, true);
    close(open(g_fifo, O_WRONLY));
    return unused;
}

/* The fork waits for a lock, and has others: a signal that comes then is kept for later. */
TEST(no_handler_runs_before_fork_has_all_locks)
{
    if (myalloc_map_file == NULL) {
        return;
    }
    pthread_t holder, sender;
    const char *directory = getenv("TMPDIR");
    snprintf(g_fifo, sizeof g_fifo, "%.32s/h21.%d", directory != NULL ? directory : "/tmp",
             (int)getpid());
    REQUIRE_EQUAL(mkfifo(g_fifo, 0600), 0);
    const struct sigaction action = {.sa_handler = allocate_afresh, .sa_flags = SA_RESTART};
    REQUIRE_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
    g_forking = pthread_self();
    REQUIRE_EQUAL(pthread_create(&holder, NULL, open_fifo, NULL), 0);
    usleep(50000);
    REQUIRE_EQUAL(pthread_create(&sender, NULL, send_and_let_go, NULL), 0);
    fork_and_wait(use_heap_briefly);
    pthread_join(holder, NULL);
    pthread_join(sender, NULL);
    unlink(g_fifo);
    REQUIRE(!atomic_load(&g_came_early));
}
