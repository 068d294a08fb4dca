/* h5_fork.c - fork while threads allocate and other people's fork handlers allocate too.
 *   FORKS  of each kind
 */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/harness.h"

enum { FORK_COUNT = 300, CHURNING_THREADS = 2 };
extern char **environ;
static atomic_bool g_stop;

static void allocate_in_handler(void)
{
    for (size_t i = 0; i < g_tier_size_count; i += 4) {
        char *block = malloc(g_tier_sizes[i]);
        REQUIRE(block != NULL);
        block[0] = 1;
        free(block);
    }
}

static void *churn(void *unused)
{
    unsigned i = 0;
    while (!atomic_load(&g_stop)) {
        void *blocks[8];
        for (size_t j = 0; j < COUNT_OF(blocks); j++) {
            blocks[j] = malloc(g_tier_sizes[(i++ * 7) % (g_tier_size_count - 4)]);
        }
        for (size_t j = 0; j < COUNT_OF(blocks); j++) {
            free(blocks[j]);
        }
    }
    return unused;
}

static void start_churning(pthread_t *threads)
{
    for (size_t i = 0; i < CHURNING_THREADS; i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, churn, NULL), 0);
    }
}

static void stop_churning(const pthread_t *threads)
{
    atomic_store(&g_stop, true);
    for (size_t i = 0; i < CHURNING_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void *allocate_once(void *unused)
{
    allocate_in_handler();
    return unused;
}

/* What a forked child may want of its heap: blocks of all tiers, and threads. */
static _Noreturn void live_as_child(void)
{
    alarm(20);
    allocate_in_handler();
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, allocate_once, NULL), 0);
    pthread_join(thread, NULL);
    _exit(0);
}

static void require_child_ends_well(pid_t pid)
{
    int status = -1;
    REQUIRE(pid > 0);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE_EQUAL(status, 0);
}

static void fork_while_churning(void)
{
    pthread_t threads[CHURNING_THREADS];
    const char *forks = getenv("FORKS");
    int count = forks != NULL ? atoi(forks) : FORK_COUNT;
    start_churning(threads);
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            live_as_child();
        }
        require_child_ends_well(pid);
    }
    stop_churning(threads);
}

TEST(fork_while_threads_allocate)
{
    fork_while_churning();
}

/* FORK-1, FORK-2 */
TEST(fork_with_handlers_that_allocate_while_threads_allocate)
{
    REQUIRE_EQUAL(pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler), 0);
    fork_while_churning();
}

TEST(blocks_of_the_parent_are_intact_in_the_child)
{
    void *blocks[64];
    for (unsigned i = 0; i < g_tier_size_count; i++) {
        blocks[i] = malloc(g_tier_sizes[i]);
        REQUIRE(blocks[i] != NULL);
        block_fill(blocks[i], g_tier_sizes[i], i);
    }
    pid_t pid = fork();
    if (pid == 0) {
        for (unsigned i = 0; i < g_tier_size_count; i++) {
            REQUIRE(block_holds(blocks[i], g_tier_sizes[i], i));
            free(blocks[i]);
        }
        live_as_child();
    }
    require_child_ends_well(pid);
}

TEST(a_child_of_a_child_of_a_child_allocates)
{
    for (int depth = 0; depth < 10; depth++) {
        allocate_in_handler();
        pid_t pid = fork();
        if (pid != 0) {
            require_child_ends_well(pid);
            _exit(0);
        }
    }
}

TEST(vfork_leaves_the_heap_of_the_parent_alone)
{
    pthread_t threads[CHURNING_THREADS];
    start_churning(threads);
    for (int i = 0; i < FORK_COUNT; i++) {
        void *block = malloc(1000);
        block_fill(block, 1000, (unsigned)i);
        pid_t pid = vfork();
        if (pid == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        require_child_ends_well(pid);
        REQUIRE(block_holds(block, 1000, (unsigned)i));
        free(block);
    }
    stop_churning(threads);
}

TEST(posix_spawn_system_and_popen_while_threads_allocate)
{
    pthread_t threads[CHURNING_THREADS];
    start_churning(threads);
    for (int i = 0; i < FORK_COUNT / 10; i++) {
        char *const arguments[] = {(char *)"true", NULL};
        pid_t pid = 0;
        REQUIRE_EQUAL(posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ), 0);
        require_child_ends_well(pid);
        REQUIRE_EQUAL(system("exit 0"), 0);
        FILE *pipe = popen("echo text", "r");
        char text[16] = {0};
        REQUIRE(pipe != NULL);
        REQUIRE(fgets(text, sizeof text, pipe) != NULL);
        REQUIRE(strcmp(text, "text\n") == 0);
        REQUIRE_EQUAL(pclose(pipe), 0);
    }
    stop_churning(threads);
}
