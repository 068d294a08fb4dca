/* h12_semantics.c - alignment, errno and sizes as programs take them for granted. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "support/blocks.h"
#include "support/harness.h"

TEST(every_size_is_aligned_to_16_bytes)
{
    for (size_t bytes = 0; bytes < 5000; bytes++) {
        void *block = malloc(bytes);
        void *zeroed = calloc(1, bytes);
        void *grown = realloc(malloc(1), bytes + 1);
        REQUIRE(block_is_aligned(block, 16));
        REQUIRE(block_is_aligned(zeroed, 16));
        REQUIRE(block_is_aligned(grown, 16));
        free(block);
        free(zeroed);
        free(grown);
    }
}

TEST(the_usable_size_is_stable_and_realloc_to_it_moves_nothing)
{
    ONLY_LIBRARY();
    for (size_t i = 0; i < g_tier_size_count; i++) {
        void *block = malloc(g_tier_sizes[i]);
        size_t usable = malloc_usable_size(block);
        REQUIRE(usable >= g_tier_sizes[i]);
        block_fill(block, usable, 1);
        REQUIRE_EQUAL(malloc_usable_size(block), usable);
        void *same = realloc(block, usable);
        REQUIRE(same == block);
        REQUIRE_EQUAL(malloc_usable_size(same), usable);
        REQUIRE(block_holds(same, usable, 1));
        free(same);
    }
}

#define REFUSE(name)                                                                               \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                                         \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

/* From now on no memory goes back. */
static void refuse_to_give_back(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(munmap),
        REFUSE(madvise),
        REFUSE(brk),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT_OF(filter), filter};
    REQUIRE_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    REQUIRE_EQUAL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* API-1 */
TEST(free_keeps_errno_also_when_the_kernel_refuses)
{
    void *blocks[64];
    for (size_t i = 0; i < g_tier_size_count; i++) {
        blocks[i] = malloc(g_tier_sizes[i]);
        REQUIRE(blocks[i] != NULL);
    }
    void *huge = malloc(100 * MIB); // no cache keeps it
    REQUIRE(huge != NULL);
    refuse_to_give_back();
    errno = 77;
    free(huge);
    REQUIRE_EQUAL(errno, 77);
    for (size_t i = 0; i < g_tier_size_count; i++) {
        errno = 77;
        free(blocks[i]);
        REQUIRE_EQUAL(errno, 77);
    }
}

TEST(nothing_above_ptrdiff_max_is_given)
{
    const size_t sizes[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        errno = 0;
        REQUIRE(malloc(opaque_size(sizes[i])) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
        errno = 0;
        REQUIRE(calloc(opaque_size(sizes[i]), 1) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
        errno = 0;
        REQUIRE(aligned_alloc(64, opaque_size(sizes[i])) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
    }
}

TEST(realloc_to_zero_frees_and_is_null)
{
    void *block = malloc(100);
    REQUIRE(realloc(block, opaque_size(0)) == NULL);
}

TEST(posix_memalign_of_a_bad_alignment_leaves_the_pointer)
{
    void *untouched = &untouched;
    REQUIRE_EQUAL(posix_memalign(&untouched, 24, 100), EINVAL);
    REQUIRE_EQUAL(posix_memalign(&untouched, 4, 100), EINVAL);
    REQUIRE(untouched == &untouched);
}
