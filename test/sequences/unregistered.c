/* unregistered.c - H25: threads that the kernel does not restart work together with threads that it
 * does restart. glibc 2.36 ends a program in which rseq is refused to a later thread only; so the
 * threads here give up their registration before their first call. Where it is refused to all, a
 * filter does it. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/extensions.h"
#include "support/harness.h"
#include "support/rseq_area.h"
#include "support/stamp.h"

#ifndef SYS_rseq
#define SYS_rseq 334
#endif

enum { OF_EACH_KIND = 2, LIVE = 100, MAILBOXES = 64, ROUNDS = 40, OPERATIONS = 20000 };

static _Atomic(void *) g_mailboxes[MAILBOXES];
static atomic_bool g_stop;
static atomic_ulong g_registered, g_unregistered; // operations by threads of each kind

static void operate(unsigned long count, uint64_t random)
{
    void *live[LIVE] = {NULL};
    for (unsigned long i = 0; i < count && !atomic_load(&g_stop); i++) {
        unsigned at = stamp_random(&random) % LIVE;
        if (live[at] == NULL) {
            live[at] = stamp_malloc(stamp_random_bytes(&random), at);
            REQUIRE(live[at] != NULL);
        } else if (at % 2 == 0) {
            live[at] = atomic_exchange(&g_mailboxes[stamp_random(&random) % MAILBOXES], live[at]);
        } else {
            stamp_free(live[at]);
            live[at] = NULL;
        }
        atomic_fetch_add(rseq_is_registered() ? &g_registered : &g_unregistered, 1);
    }
    for (size_t i = 0; i < LIVE; i++) {
        stamp_free(live[i]);
    }
}

static void *work_long(void *seed)
{
    operate(~0UL, (uintptr_t)seed);
    return NULL;
}

static void give_up_registration(void)
{
    struct rseq_area *area = rseq_area();
    if (rseq_is_registered()) {
        REQUIRE(syscall(SYS_rseq, area, 32, 1, RSEQ_SIGNATURE) == 0 ||
                syscall(SYS_rseq, area, __rseq_size, 1, RSEQ_SIGNATURE) == 0);
    }
    REQUIRE(!rseq_is_registered());
}

static void *work_briefly(void *seed)
{
    give_up_registration();
    operate(OPERATIONS, (uintptr_t)seed);
    return NULL;
}

static void refuse_rseq(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rseq, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT_OF(filter), filter};
    REQUIRE_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    REQUIRE_EQUAL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void start(pthread_t *threads, void *(*work)(void *), uintptr_t seed)
{
    for (uintptr_t i = 0; i < OF_EACH_KIND; i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, work, (void *)(seed + i)), 0);
    }
}

static void join(const pthread_t *threads)
{
    for (size_t i = 0; i < OF_EACH_KIND; i++) {
        pthread_join(threads[i], NULL);
    }
}

static int count_used(const struct myalloc_block *block, void *count)
{
    *(size_t *)count += block->state == MYALLOC_IN_USE;
    return 0;
}

static size_t blocks_in_use(void)
{
    size_t count = 0;
    if (harness_has_library()) {
        REQUIRE_EQUAL(myalloc_walk(count_used, &count), 0);
    }
    return count;
}

TEST(threads_with_and_without_registration_work_together)
{
    size_t before = blocks_in_use();
    pthread_t usual[OF_EACH_KIND];
    pthread_t others[OF_EACH_KIND];
    bool is_usual = rseq_is_registered();
    start(usual, work_long, 1);
    if (is_usual) {
        while (atomic_load(&g_registered) == 0) {
            (void)stamp_random(&(uint64_t){0});
        }
    }
    for (uintptr_t round = 0; round < ROUNDS; round++) {
        start(others, work_briefly, 10 + 2 * round);
        stamp_free(stamp_malloc(500, 1)); // main, which has a registration
        join(others);
    }
    atomic_store(&g_stop, true);
    join(usual);
    for (size_t i = 0; i < MAILBOXES; i++) {
        stamp_free(atomic_exchange(&g_mailboxes[i], NULL));
    }
    dprintf(1, "# %lu operations by registered threads, %lu by others\n", g_registered,
            g_unregistered);
    REQUIRE(!is_usual || g_registered > 0);
    REQUIRE(g_unregistered >= (unsigned long)ROUNDS * OF_EACH_KIND * OPERATIONS);
    REQUIRE(blocks_in_use() <= before + 8); // stacks, and what libc keeps of threads
}

TEST(threads_without_registration_come_and_go)
{
    size_t before = 0;
    for (uintptr_t round = 0; round < ROUNDS; round++) {
        pthread_t others[OF_EACH_KIND];
        start(others, work_briefly, 10 + 2 * round);
        join(others);
        for (size_t i = 0; i < MAILBOXES; i++) {
            stamp_free(atomic_exchange(&g_mailboxes[i], NULL));
        }
        before = round == 0 ? blocks_in_use() : before;
    }
    REQUIRE(blocks_in_use() <= before + 2);
}

/* Only while it is alone: in other threads' way it would need to be restarted. */
TEST(a_thread_that_has_allocated_gives_up_its_registration)
{
    operate(OPERATIONS, 1);
    size_t before = blocks_in_use();
    give_up_registration();
    operate(OPERATIONS, 2);
    for (size_t i = 0; i < MAILBOXES; i++) {
        stamp_free(atomic_exchange(&g_mailboxes[i], NULL));
    }
    REQUIRE(blocks_in_use() <= before); // all that it caches is found
}

TEST(threads_come_and_go_where_registration_is_refused)
{
    refuse_rseq();
    setenv("REFUSED", "1", 1);
    execl("/proc/self/exe", "unregistered", "no_thread_is_registered", NULL);
    REQUIRE(!"started anew");
}

/* For the claim above; alone it says little. */
TEST(no_thread_is_registered)
{
    REQUIRE(getenv("REFUSED") == NULL || !rseq_is_registered());
    threads_without_registration_come_and_go();
}
