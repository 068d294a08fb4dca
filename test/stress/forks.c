/* forks.c - several threads fork while others allocate, with fork handlers that allocate too: every
 * child finds the blocks of its parent and a heap that works.
 *   FORKS  in all
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/harness.h"

enum { FORKING = 4, ALLOCATING = 4, KEPT = 32, CHILD_SECONDS = 20, KEPT_BYTES_MAX = 60000 };

static unsigned char *g_kept[KEPT]; // intact in the parent and in every child
static atomic_int g_left;
static atomic_ulong g_forks, g_checked;
static atomic_bool g_is_over;

static size_t kept_bytes(size_t i)
{
    return (i * 7919 + 24) % KEPT_BYTES_MAX;
}

static void allocate_some(unsigned turn)
{
    for (unsigned i = 0; i < 6; i++) {
        size_t bytes = g_tier_sizes[(turn + i * 5) % (g_tier_size_count - 2)];
        unsigned char *block = malloc(bytes);
        REQUIRE(block != NULL);
        block[0] = (unsigned char)i;
        block[bytes - 1] = (unsigned char)i;
        free(block);
    }
}

static void allocate_in_handler(void)
{
    allocate_some(1);
}

static void check_kept(void)
{
    for (unsigned i = 0; i < KEPT; i++) {
        REQUIRE(block_holds(g_kept[i], kept_bytes(i), i));
    }
}

static _Noreturn void live_as_child(void)
{
    alarm(CHILD_SECONDS); // a child that hangs is a bad one
    check_kept();
    allocate_some(3);
    for (unsigned i = 0; i < KEPT; i += 2) {
        free(g_kept[i]);
    }
    _exit(0);
}

static void *fork_again_and_again(void *unused)
{
    while (atomic_fetch_sub(&g_left, 1) > 0) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0) {
            live_as_child();
        }
        REQUIRE(pid > 0);
        REQUIRE(waitpid(pid, &status, 0) == pid);
        REQUIRE_EQUAL(status, 0);
        atomic_fetch_add(&g_forks, 1);
        atomic_fetch_add(&g_checked, KEPT);
    }
    return unused;
}

static void *allocate_again_and_again(void *unused)
{
    for (unsigned turn = 0; !atomic_load(&g_is_over); turn++) {
        allocate_some(turn);
    }
    return unused;
}

TEST(threads_fork_beside_threads_that_allocate)
{
    pthread_t threads[FORKING + ALLOCATING];
    const char *forks = getenv("FORKS");
    atomic_store(&g_left, forks != NULL ? atoi(forks) : 400);
    REQUIRE_EQUAL(pthread_atfork(allocate_in_handler, allocate_in_handler, allocate_in_handler), 0);
    for (unsigned i = 0; i < KEPT; i++) {
        g_kept[i] = malloc(kept_bytes(i));
        block_fill(g_kept[i], kept_bytes(i), i);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *(*run)(void *) = i < FORKING ? fork_again_and_again : allocate_again_and_again;
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, run, NULL), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        atomic_store(&g_is_over, i >= FORKING);
        pthread_join(threads[i], NULL);
    }
    check_kept();
    dprintf(STDOUT_FILENO, "# %lu forks, %lu blocks checked, bad children: 0, lost: 0\n", g_forks,
            g_checked);
}
