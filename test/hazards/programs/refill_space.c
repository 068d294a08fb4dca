/* refill_space.c as|data MEGABYTES PERCENT [old] - limits its address space, or its data, and fills
 * it with blocks of one size, frees all, and goes on with another size, all sizes twice; exits 0
 * when each filling reached so much of the limit. `old`: the kernel has no marks for guards. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { ADVICE_GUARD_INSTALL = 102 };

static int refuse_marks(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ADVICE_GUARD_INSTALL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program);
}

static size_t fill_and_free(size_t bytes)
{
    void **last = NULL;
    size_t used = 0;
    for (void **block = malloc(bytes); block != NULL; block = malloc(bytes)) {
        *block = last;
        last = block;
        used += bytes;
    }
    while (last != NULL) {
        void **next = *last;
        free(last);
        last = next;
    }
    return used;
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {100, 6000, 700, 200000, 20000, 100, 3000000, 1000, 70000, 16};
    if (argc < 4 || (argc == 5 && refuse_marks() != 0)) {
        return 2;
    }
    size_t limit = strtoul(argv[2], NULL, 10) << 20;
    const struct rlimit limits = {limit, limit};
    if (setrlimit(strcmp(argv[1], "as") == 0 ? RLIMIT_AS : RLIMIT_DATA, &limits) != 0) {
        return 2;
    }
    size_t least = 100;
    for (unsigned i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        size_t bytes = sizes[i % (sizeof sizes / sizeof sizes[0])];
        size_t percent = fill_and_free(bytes) * 100 / limit;
        printf("%zu: %zu%% ", bytes, percent);
        least = percent < least ? percent : least;
    }
    putchar('\n');
    return least < strtoul(argv[3], NULL, 10);
}
