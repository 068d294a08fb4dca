/* h22_seccomp.c - after its start a program may shut the door on nearly all system calls. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {COUNT_OF(filter), filter};
    REQUIRE_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    REQUIRE_EQUAL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
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
