/* kinds.c - harden:1: the kinds of misuse that hardened_malloc tests itself with. Each ends the
 * program, or reads zeros. The program starts itself anew with the option, unless it has it. */
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corruption/messages.h"
#include "support/blocks.h"
#include "support/death.h"
#include "support/harness.h"

enum { SMALL = 16, ODD = 128, LARGE = 256 * 1024, PAGE = 4096, PASSES = 100000 };

__attribute__((weak)) void free_sized(void *ptr, size_t bytes);
__attribute__((weak)) void free_aligned_sized(void *ptr, size_t alignment, size_t bytes);

__attribute__((constructor)) static void ask_for_it(void)
{
    const char *options = getenv("MYALLOC_CONF");
    if (options == NULL || strstr(options, "harden:") == NULL) {
        setenv("MYALLOC_CONF", "harden:1", 1);
        char *const arguments[] = {(char *)"kinds", NULL};
        execv("/proc/self/exe", arguments);
        _exit(99);
    }
}

static char *block_of(size_t bytes)
{
    char *block = malloc(bytes);
    REQUIRE(block != NULL);
    return opaque(block);
}

/* Requires that the body, with `block` of BYTES bytes, ends by the signal. */
#define KIND(name, bytes, signal_number, ...)                                                      \
    static void name##_body(char *block)                                                           \
    {                                                                                              \
        (void)block;                                                                               \
        __VA_ARGS__                                                                                \
    }                                                                                              \
    TEST(name)                                                                                     \
    {                                                                                              \
        expect_signal(name##_body, bytes, signal_number);                                          \
    }

static void expect_signal(void (*body)(char *block), size_t bytes, int signal_number)
{
    int status;
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        char *block = block_of(bytes);
        memset(block, 'a', bytes);
        body(block);
        _exit(0);
    }
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE_EQUAL(WTERMSIG(status), signal_number);
}

KIND(double_free_large, LARGE, SIGABRT, free(block); free(block);)
KIND(double_free_large_delayed, LARGE, SIGABRT, void *other = block_of(LARGE); free(block);
     free(other); free(block);)
KIND(double_free_small, SMALL, SIGABRT, free(block); free(block);)
KIND(double_free_small_delayed, SMALL, SIGABRT, void *other = block_of(SMALL); free(block);
     free(other); free(block);)
KIND(overflow_large_1_byte, LARGE, SIGSEGV, block[malloc_usable_size(block)] = 1;)
KIND(overflow_large_8_byte, LARGE, SIGSEGV, block[malloc_usable_size(block) + 7] = 1;)
KIND(overflow_small_1_byte, SMALL, SIGABRT, block[malloc_usable_size(block)] = 1; free(block);)
KIND(overflow_small_8_byte, 8, SIGABRT, block[malloc_usable_size(block) + 7] = 0; free(block);)

static char *map_page(int protection)
{
    char *page = mmap(NULL, PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    return opaque(page);
}

KIND(invalid_free_protected, SMALL, SIGABRT, free(map_page(PROT_NONE) + 16);)
KIND(invalid_free_unprotected, SMALL, SIGABRT, free(map_page(PROT_READ | PROT_WRITE) + 16);)
KIND(invalid_free_small_region, SMALL, SIGABRT, free(block + 4L * PAGE);)
KIND(invalid_free_small_region_far, SMALL, SIGABRT, free(block + (1L << 30));)
KIND(unaligned_free_large, LARGE, SIGABRT, free(block + 1);)
KIND(unaligned_free_small, SMALL, SIGABRT, free(block + 1);)
KIND(uninitialized_free, SMALL, SIGABRT, free(opaque((void *)1));)
KIND(uninitialized_realloc, SMALL, SIGABRT, block = realloc(opaque((void *)1), SMALL);)
KIND(uninitialized_usable_size, SMALL, SIGABRT, (void)malloc_usable_size(opaque((void *)1));)
KIND(invalid_usable_size_small, SMALL, SIGABRT, (void)malloc_usable_size(block + 4L * PAGE);)
KIND(unaligned_usable_size_small, SMALL, SIGABRT, (void)malloc_usable_size(block + 1);)
KIND(usable_size_of_a_freed_block, SMALL, SIGABRT, free(block); (void)malloc_usable_size(block);)
KIND(usable_size_of_a_freed_large_block, LARGE, SIGABRT, free(block);
     (void)malloc_usable_size(block);)
KIND(read_after_free_large, LARGE, SIGSEGV, free(block); (void)*(volatile char *)(block + PAGE);)
KIND(write_after_free_large, LARGE, SIGSEGV, free(block); block[64 * 1024 - 1] = 1;)
KIND(write_after_free_large_reuse, LARGE, SIGSEGV, free(block); char *next = block_of(LARGE);
     (void)next; block[64 * 1024 - 1] = 1;)
KIND(read_zero_size, SMALL, SIGSEGV, (void)*(volatile char *)block_of(0);)
KIND(write_zero_size, SMALL, SIGSEGV, *block_of(0) = 1;)

static void pass_blocks(size_t bytes)
{
    for (int i = 0; i < PASSES; i++) {
        free(block_of(bytes));
    }
}

KIND(write_after_free_small, ODD, SIGABRT, free(block); block[65] = 'a'; pass_blocks(ODD);)
KIND(write_after_free_small_reuse, ODD, SIGABRT, free(block); free(block_of(ODD)); block[65] = 'a';
     pass_blocks(ODD);)
KIND(write_after_free_in_the_middle, 1000, SIGABRT, free(block); block[500] = 'a';
     pass_blocks(1000);)

TEST(a_small_block_reads_as_zeros_after_its_free)
{
    char *block = block_of(SMALL);
    memset(block, 'a', SMALL);
    free(block);
    for (int i = 0; i < SMALL; i++) {
        REQUIRE_EQUAL(((volatile char *)block)[i], 0);
    }
}

/* A string that fills its block ends there: what is behind is not shown. */
TEST(a_string_without_its_end_shows_nothing)
{
    for (size_t bytes = 1; bytes < 200000; bytes = bytes * 3 / 2 + 1) {
        char *block = block_of(bytes);
        memset(block, 'a', bytes);
        size_t page = bytes % 4096 == 0; /* a page without access may be behind */
        REQUIRE(page || strlen(block) == bytes);
        free(block);
    }
}

/* ---- sizes that do not agree ---- */

VICTIM free_with_a_smaller_size(struct misuse *misuse)
{
    free_sized(misused_block(misuse, ODD), ODD - 1);
}

VICTIM free_with_a_larger_size(struct misuse *misuse)
{
    free_sized(misused_block(misuse, ODD), ODD + 1);
}

VICTIM free_large_with_a_wrong_size(struct misuse *misuse)
{
    free_sized(misused_block(misuse, LARGE / 2), LARGE / 2 - 1); // to the byte: not of huge ones
}

VICTIM free_with_no_alignment(struct misuse *misuse)
{
    free_aligned_sized(misused_block(misuse, ODD), 24, ODD);
}

VICTIM look_at_a_freed_block(struct misuse *misuse)
{
    char *block = misused_block(misuse, ODD);
    free(block);
    (void)malloc_usable_size(block);
}

TEST(a_wrong_size_is_told)
{
    expect_death(free_with_a_smaller_size, WRONG_SIZE);
    expect_death(free_with_a_larger_size, WRONG_SIZE);
    expect_death(free_large_with_a_wrong_size, WRONG_SIZE);
    expect_death(free_with_no_alignment, WRONG_SIZE);
}

TEST(a_look_at_a_freed_block_is_told)
{
    expect_death(look_at_a_freed_block, WRONG_LOOK);
}

TEST(right_sizes_and_alignments_are_freed)
{
    static const size_t sizes[] = {0, 1, 16, 100, 1000, 1017, 5000, 30000, 60000, LARGE, 5000000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        free_sized(block_of(sizes[i]), sizes[i]);
        free_sized(calloc(1, sizes[i]), sizes[i]);
        free_sized(realloc(block_of(sizes[i] + 100), sizes[i] + 1), sizes[i] + 1);
        for (size_t alignment = 16; alignment <= 65536; alignment *= 4) {
            void *aligned = aligned_alloc(alignment, sizes[i]);
            REQUIRE(aligned != NULL);
            free_aligned_sized(aligned, alignment, sizes[i]);
        }
    }
    free_sized(NULL, 7);
    free_aligned_sized(NULL, 24, 7);
}
