/* vfork.c - H26: the child of a vfork works on the memory and the thread-locals of its parent, but
 * the kernel restarts no sequences for it. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/harness.h"
#include "support/rseq_area.h"
#include "support/stamp.h"

#ifndef SYS_vfork
#define SYS_vfork SYS_clone // of which it is a kind on newer CPUs
#endif

enum { THREADS = 4, LIVE = 200, CHILDREN = 20, BLOCKS_OF_CHILD = 10000 };

static atomic_bool g_stop;
static atomic_ulong g_operations;
static void *g_left[LIVE]; // what a child leaves behind
static uint64_t g_cs_in_child;

static void *churn(void *seed)
{
    void *live[LIVE] = {NULL};
    uint64_t random = (uintptr_t)seed;
    unsigned long count = 0;
    for (; !atomic_load(&g_stop); count++) {
        unsigned at = stamp_random(&random) % LIVE;
        stamp_free(live[at]);
        live[at] = stamp_malloc(stamp_random_bytes(&random), at);
        REQUIRE(live[at] != NULL);
    }
    for (size_t i = 0; i < LIVE; i++) {
        stamp_free(live[i]);
    }
    atomic_fetch_add(&g_operations, count);
    return NULL;
}

static void beside_four_threads(void (*body)(void))
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    }
    body();
    atomic_store(&g_stop, true);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    dprintf(1, "# %lu operations of the threads meanwhile\n", g_operations);
}

__attribute__((noinline)) static void allocate_in_child(uint64_t seed)
{
    struct rseq_area *area = rseq_area();
    if (area != NULL) {
        area->rseq_cs = 0;
    }
    for (unsigned i = 0; i < BLOCKS_OF_CHILD; i++) {
        unsigned at = stamp_random(&seed) % LIVE;
        stamp_free(g_left[at]); // at first blocks of the parent
        g_left[at] = stamp_malloc(stamp_random_bytes(&seed), at);
        REQUIRE(g_left[at] != NULL);
    }
    g_cs_in_child = area != NULL ? area->rseq_cs : 0;
}

/* What the child ended with. */
__attribute__((noinline)) static int vfork_and_exit(int code)
{
    pid_t pid = vfork();
    if (pid == 0) {
        _exit(code);
    }
    int status = -1;
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    return status >> 8;
}

__attribute__((noinline)) static void vfork_and_allocate(unsigned seed)
{
    for (size_t i = 0; i < LIVE; i++) {
        g_left[i] = stamp_malloc(100, seed);
    }
    pid_t pid = vfork();
    if (pid == 0) {
        allocate_in_child(seed);
        _exit(7);
    }
    int status;
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    REQUIRE_EQUAL(status, 7 << 8);
    for (size_t i = 0; i < LIVE; i++) {
        stamp_free(g_left[i]);
    }
}

/* The last sequence that a pair began, in the real area of this thread, is the one in malloc. */
static bool is_on_fast_path(void)
{
    if (!library_uses_sequences()) {
        return true;
    }
    struct rseq_area *area = rseq_area();
    for (int i = 0; i < 100; i++) {
        free(malloc(200));
        void *block = malloc(200);
        const struct rseq_descriptor *last = (const void *)(uintptr_t)area->rseq_cs;
        free(block);
        if (last != NULL && last->start - (uintptr_t)malloc < 256) {
            return true;
        }
    }
    return false;
}

static void vfork_many(void)
{
    for (unsigned i = 0; i < CHILDREN; i++) {
        vfork_and_allocate(i);
        REQUIRE(is_on_fast_path());
    }
}

TEST(a_child_allocates_beside_four_threads_of_its_parent)
{
    beside_four_threads(vfork_many);
}

TEST(a_child_begins_no_sequence_on_the_area_of_its_parent)
{
    ONLY_LIBRARY();
    REQUIRE(is_on_fast_path());
    vfork_and_allocate(1);
    REQUIRE_EQUAL(g_cs_in_child, 0);
    REQUIRE(is_on_fast_path());
}

static void *vfork_at_first(void *unused)
{
    pid_t pid = vfork(); // the child is the first to allocate in this thread
    if (pid == 0) {
        allocate_in_child(1);
        _exit(0);
    }
    REQUIRE(pid > 0 && waitpid(pid, NULL, 0) == pid);
    REQUIRE(is_on_fast_path());
    return unused;
}

TEST(the_first_call_of_a_thread_may_be_that_of_a_child)
{
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, vfork_at_first, NULL), 0);
    pthread_join(thread, NULL);
}

static void refuse_vfork(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_vfork, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT_OF(filter), filter};
    REQUIRE_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    REQUIRE_EQUAL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* What RLIMIT_NPROC brings for users that are not root. */
TEST(a_vfork_that_is_refused_says_why)
{
    REQUIRE(is_on_fast_path());
    refuse_vfork();
    errno = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        _exit(0);
    }
    REQUIRE_EQUAL(pid, -1);
    REQUIRE_EQUAL(errno, EAGAIN);
    REQUIRE(is_on_fast_path());
}

TEST(a_child_that_does_not_allocate_changes_nothing)
{
    for (int i = 0; i < 200; i++) {
        REQUIRE_EQUAL(vfork_and_exit(i & 127), i & 127);
        REQUIRE(is_on_fast_path());
    }
}

extern char **environ;

static void spawn_many(void)
{
    for (unsigned i = 0; i < 10; i++) {
        pid_t pid;
        int status;
        char *const arguments[] = {"sh", "-c", "exit 5", NULL};
        REQUIRE_EQUAL(posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ), 0);
        REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
        REQUIRE_EQUAL(status, 5 << 8);
        REQUIRE_EQUAL(system("exit 6"), 6 << 8);
        FILE *pipe = popen("echo seven", "r");
        char text[16] = "";
        REQUIRE(pipe != NULL && fgets(text, sizeof text, pipe) != NULL);
        REQUIRE_EQUAL(strcmp(text, "seven\n"), 0);
        REQUIRE_EQUAL(pclose(pipe), 0);
        REQUIRE(is_on_fast_path());
    }
}

TEST(programs_are_started_beside_four_threads)
{
    beside_four_threads(spawn_many);
}
