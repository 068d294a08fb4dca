/* h22_seccomp.c - after its start a program may shut the door on nearly all system calls. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "support/affinity.h"
#include "support/blocks.h"
#include "support/harness.h"

#define ALLOW(name)                                                                                \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                                         \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void shut_the_door(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(mmap),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(mprotect),
        ALLOW(madvise),
        ALLOW(brk),
        ALLOW(futex),
        ALLOW(clock_gettime),
        ALLOW(write),
        ALLOW(exit_group),
        ALLOW(pause),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {COUNT_OF(filter), filter};
    REQUIRE_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    REQUIRE_EQUAL(
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program), 0);
}

static void use_all_tiers(void)
{
    for (int round = 0; round < 5; round++) {
        void *blocks[64];
        for (unsigned i = 0; i < g_tier_size_count; i++) {
            blocks[i] = calloc(1, g_tier_sizes[i]);
            REQUIRE(blocks[i] != NULL);
            block_fill(blocks[i], g_tier_sizes[i], i);
            blocks[i] = realloc(blocks[i], g_tier_sizes[i] * 2);
            REQUIRE(block_holds(blocks[i], g_tier_sizes[i], i));
        }
        for (size_t i = 0; i < g_tier_size_count; i++) {
            free(blocks[i]);
        }
        (void)malloc_trim(0);
    }
}

TEST(the_first_call_may_come_behind_the_door)
{
    ONLY_LIBRARY();
    shut_the_door();
    use_all_tiers();
}

TEST(the_heap_works_on_behind_the_door)
{
    use_all_tiers();
    shut_the_door();
    use_all_tiers();
}

/* What features do at the end of a process, such as removing a file, is behind the door as well. */
TEST(the_heap_works_on_behind_the_door_until_a_bare_exit)
{
    use_all_tiers();
    shut_the_door();
    use_all_tiers();
    for (int i = 0; i < 100; i++) {
        free(malloc(100)); /* not calloc: guard:N samples only these */
    }
    syscall(SYS_exit_group, 0);
}

enum { THREADS = 4, SWINGS = 10, SWING_BLOCKS = 8000, ALONE_S = 3 };

static pthread_barrier_t g_begun, g_open, g_done;

static void rise_and_fall(unsigned *seed)
{
    static _Thread_local void *t_blocks[SWING_BLOCKS];
    for (unsigned i = 0; i < SWING_BLOCKS; i++) {
        t_blocks[i] = malloc((unsigned)rand_r(seed) % 2000);
        REQUIRE(t_blocks[i] != NULL);
    }
    for (unsigned i = 0; i < SWING_BLOCKS; i++) {
        free(t_blocks[i]);
    }
}

static void *swing(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    (void)run_on_cpu((int)(seed % 2)); // where there is a second one
    pthread_barrier_wait(&g_begun);
    pthread_barrier_wait(&g_open);
    for (unsigned i = 0; i < SWINGS; i++) {
        rise_and_fall(&seed);
    }
    pthread_barrier_wait(&g_done);
    for (;;) { // killed with the process: the end of a thread is behind the door
        pause();
    }
    return NULL;
}

/* H28: what threads leave in the caches of CPUs where none runs any more goes back without a call
 * that the program does not expect, or stays. */
TEST(threads_rise_and_fall_behind_the_door)
{
    unsigned seeds[THREADS] = {0, 1, 2, 3};
    pthread_t thread;
    ONLY_LIBRARY();
    REQUIRE_EQUAL(pthread_barrier_init(&g_begun, NULL, THREADS + 1), 0);
    REQUIRE_EQUAL(pthread_barrier_init(&g_open, NULL, THREADS + 1), 0);
    REQUIRE_EQUAL(pthread_barrier_init(&g_done, NULL, THREADS + 1), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        REQUIRE_EQUAL(pthread_create(&thread, NULL, swing, &seeds[i]), 0);
    }
    (void)run_on_cpu(0);
    pthread_barrier_wait(&g_begun); // the start of a thread is behind the door, too
    shut_the_door();
    pthread_barrier_wait(&g_open);
    pthread_barrier_wait(&g_done);
    for (time_t end = time(NULL) + ALONE_S; time(NULL) < end;) {
        rise_and_fall(seeds);
    }
    syscall(SYS_exit_group, 0);
}
