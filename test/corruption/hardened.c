/* hardened.c - harden:1: what is written behind, before and into freed blocks, and what cannot be
 * read at all. The program starts itself anew with the option, unless it has it. */
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corruption/messages.h"
#include "support/death.h"
#include "support/harness.h"

enum { SMALL = 40, MEDIUM = 5000, SHORT = 60000, LARGE = 200000, HUGE = 5000000 };

__attribute__((constructor)) static void ask_for_it(void)
{
    const char *options = getenv("MYALLOC_CONF");
    if (options == NULL || strstr(options, "harden:") == NULL) {
        setenv("MYALLOC_CONF", "harden:1", 1);
        char *const arguments[] = {(char *)"hardened", NULL};
        execv("/proc/self/exe", arguments);
        _exit(99);
    }
}

/* One byte is written next to a block; what comes then tells of it. */
#define WRITTEN_AT(which, tier, where, offset, message, then)                                      \
    VICTIM write_##where##_##which##_##tier(struct misuse *misuse)                                 \
    {                                                                                              \
        char *block = misused_block(misuse, tier);                                                 \
        block[offset] = 'x';                                                                       \
        then;                                                                                      \
    }                                                                                              \
    TEST(one_byte_written_##where##_a_block_##which##_##tier)                                      \
    {                                                                                              \
        expect_death(write_##where##_##which##_##tier, message);                                   \
    }

/* Known when the block is freed. */
WRITTEN_AT(of_tier, SMALL, behind, SMALL, WRITE_BEHIND, free(block))
WRITTEN_AT(of_tier, MEDIUM, behind, MEDIUM, WRITE_BEHIND, free(block))
WRITTEN_AT(of_tier, LARGE, behind, LARGE, WRITE_BEHIND, free(block))
WRITTEN_AT(of_tier, SMALL, before, -1, WRITE_BEFORE, free(block))
WRITTEN_AT(of_tier, MEDIUM, before, -1, WRITE_BEFORE, free(block))

/* Known at the next request that is not served by what is at hand, though nobody frees it. */
WRITTEN_AT(that_is_kept, SMALL, behind, SMALL, WRITE_BEHIND, REQUIRE(malloc(MEDIUM) != NULL))
WRITTEN_AT(that_is_kept, MEDIUM, behind, MEDIUM, WRITE_BEHIND, REQUIRE(malloc(MEDIUM) != NULL))
WRITTEN_AT(that_is_kept, SMALL, before, -1, WRITE_BEFORE, REQUIRE(malloc(MEDIUM) != NULL))
WRITTEN_AT(that_is_kept, MEDIUM, before, -1, WRITE_BEFORE, REQUIRE(malloc(MEDIUM) != NULL))

VICTIM write_behind_and_grow(struct misuse *misuse)
{
    char *block = misused_block(misuse, SMALL);
    block[SMALL] = 'x';
    block = realloc(block, SMALL + 1);
    REQUIRE(block != NULL);
}

TEST(one_byte_written_behind_a_block_is_known_at_its_realloc)
{
    expect_death(write_behind_and_grow, WRITE_BEHIND);
}

/* Before the end of the block before: told by the free of a medium one. */
VICTIM write_far_before(struct misuse *misuse)
{
    char *block = misused_block(misuse, MEDIUM);
    block[-32] = 'x';
    free(block);
}

TEST(one_byte_written_far_before_a_medium_block_is_known)
{
    expect_death(write_far_before, WRITE_BEFORE);
}

TEST(a_block_that_shrinks_moves)
{
    ONLY_LIBRARY();
    const size_t sizes[] = {SMALL, MEDIUM, SHORT, LARGE};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char *block = malloc(sizes[i]);
        memset(block, 'x', sizes[i]);
        char *moved = realloc(block, sizes[i] - 1);
        REQUIRE(moved != block);
        REQUIRE_EQUAL(moved[0], 'x');
        REQUIRE_EQUAL(moved[sizes[i] - 2], 'x');
        free(moved);
    }
}

/* The size of the message is that of the slot: told with what holds the block. */
#define WRITTEN_AFTER_FREE(tier)                                                                   \
    VICTIM write_after_free_##tier(struct misuse *misuse)                                          \
    {                                                                                              \
        char *block = misused_block(misuse, tier);                                                 \
        free(block);                                                                               \
        block[1] = 'x';                                                                            \
        REQUIRE(malloc(LARGE) != NULL);                                                            \
    }                                                                                              \
    TEST(write_to_a_freed_block_is_known_at_the_next_request_##tier)                               \
    {                                                                                              \
        expect_death(write_after_free_##tier, WRITE_FREED);                                        \
    }

WRITTEN_AFTER_FREE(SMALL)
WRITTEN_AFTER_FREE(MEDIUM)

/* Beyond what the next request looks at: found when the slot is used again. */
VICTIM write_after_free_far(struct misuse *misuse)
{
    char *block = misused_block(misuse, 200);
    free(block);
    block[150] = 'x';
    for (int i = 0; i < 1000; i++) {
        free(malloc(200));
    }
}

TEST(write_to_a_freed_block_is_known_when_it_is_used_again)
{
    expect_death(write_after_free_far, WRITE_FREED);
}

/* Found before its memory goes back. */
VICTIM write_after_free_and_trim(struct misuse *misuse)
{
    char *block = misused_block(misuse, 200);
    free(block);
    block[150] = 'x';
    extern int malloc_trim(size_t pad);
    malloc_trim(0);
}

TEST(write_to_a_freed_block_is_known_before_its_memory_goes_back)
{
    expect_death(write_after_free_and_trim, WRITE_FREED);
}

/* Such a block stays readable while it waits. */
VICTIM write_after_free_of_short_large(struct misuse *misuse)
{
    char *block = misused_block(misuse, SHORT);
    memset(block, 'x', SHORT);
    free(block);
    block[SHORT / 2] = 'x';
    for (int i = 0; i < 1000; i++) {
        free(malloc(SHORT));
    }
}

TEST(write_to_a_freed_short_large_block_is_known_when_it_is_used_again)
{
    if (harness_page_bytes() <= 16 * KIB) {
        expect_death(write_after_free_of_short_large, WRITE_FREED);
    }
}

VICTIM write_after_free_of_short_large_and_trim(struct misuse *misuse)
{
    char *block = misused_block(misuse, SHORT);
    memset(block, 'x', SHORT);
    free(block);
    block[SHORT / 2] = 'x';
    extern int malloc_trim(size_t pad);
    malloc_trim(0);
}

TEST(write_to_a_freed_short_large_block_is_known_before_its_memory_goes_back)
{
    if (harness_page_bytes() <= 16 * KIB) {
        expect_death(write_after_free_of_short_large_and_trim, WRITE_FREED);
    }
}

static void require_fault(void (*touch)(void))
{
    ONLY_LIBRARY();
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        touch();
        _exit(0);
    }
    int status = 0;
    REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
    REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void read_at(const char *block)
{
    (void)*(const volatile char *)block;
}

#define UNREADABLE(name, statements)                                                               \
    static void touch_##name(void){statements} TEST(name##_cannot_be_read)                         \
    {                                                                                              \
        require_fault(touch_##name);                                                               \
    }

/* The region has no guard pages where a page is larger than a chunk. */
#define REGION_UNREADABLE(name, statements)                                                        \
    static void touch_##name(void){statements} TEST(name##_cannot_be_read)                         \
    {                                                                                              \
        if (harness_page_bytes() <= 16 * KIB) {                                                    \
            require_fault(touch_##name);                                                           \
        }                                                                                          \
    }

REGION_UNREADABLE(a_block_of_no_bytes, read_at(malloc(0));)
REGION_UNREADABLE(the_page_behind_a_large_block,
                  read_at((char *)malloc(LARGE / 4096 * 4096) + LARGE / 4096 * 4096);)
REGION_UNREADABLE(the_page_before_a_large_block, read_at((char *)malloc(LARGE) - 1);)
UNREADABLE(the_page_before_a_huge_block, read_at((char *)malloc(HUGE) - 1);)
REGION_UNREADABLE(a_freed_large_block, char *block = malloc(LARGE); free(block); read_at(block);)
UNREADABLE(a_freed_huge_block, char *block = malloc(HUGE); free(block); read_at(block);)

static bool is_zero(const char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (((const volatile char *)block)[i] != 0) {
            return false;
        }
    }
    return true;
}

TEST(a_freed_block_is_zero_and_waits)
{
    ONLY_LIBRARY();
    /* Where a page is larger than a chunk, larger blocks have a mapping, which is hidden. */
    size_t most = harness_page_bytes() <= 16 * KIB ? 120000 : 32 * KIB;
    for (size_t bytes = 1; bytes < most; bytes = bytes * 3 / 2 + 1) {
        char *block = malloc(bytes);
        memset(block, 'x', bytes);
        free(block);
        REQUIRE(is_zero(block, bytes));
        char *next = malloc(bytes);
        REQUIRE(next != block);
        free(next);
    }
}

TEST(a_new_block_is_zero_whatever_was_there)
{
    ONLY_LIBRARY();
    for (int round = 0; round < 20; round++) {
        for (size_t bytes = 1; bytes < 3 * MIB; bytes = bytes * 2 + 5) {
            char *block = malloc(bytes);
            REQUIRE(is_zero(block, bytes));
            memset(block, 'x', bytes);
            free(block);
        }
    }
}

static long page_faults(void)
{
    struct rusage usage;
    REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_minflt;
}

/* What is looked at first and then written costs a fault for each. */
TEST(a_page_that_was_never_used_costs_one_fault)
{
    ONLY_LIBRARY();
    enum { BLOCKS = 8000, BYTES = 1000 };
    long before = page_faults();
    for (int i = 0; i < BLOCKS; i++) {
        char *block = malloc(BYTES);
        REQUIRE(block != NULL);
        block[0] = 'x';
    }
    long pages =
        BLOCKS * BYTES / sysconf(_SC_PAGESIZE); /* of the kernel, whatever we take it for */
    REQUIRE(page_faults() - before < pages + pages / 2);
}

/* Clean memory is written, not given back and taken again. */
TEST(memory_in_use_is_made_zero_without_a_fault)
{
    ONLY_LIBRARY();
    enum { ROUNDS = 30 };
    long before = 0;
    for (int round = -10; round < ROUNDS; round++) {
        before = round == 0 ? page_faults() : before;
        char *block = malloc(HUGE);
        REQUIRE(block != NULL);
        memset(block, 'x', HUGE);
        free(block);
    }
    REQUIRE(page_faults() - before < ROUNDS * (long)(HUGE / harness_page_bytes()) / 4);
}

TEST(neighbours_in_a_row_of_requests_are_not_neighbours_in_memory)
{
    ONLY_LIBRARY();
    enum { COUNT = 256 };
    int beside = 0;
    char *before = malloc(SMALL);
    for (int i = 0; i < COUNT; i++) {
        char *block = malloc(SMALL);
        beside += labs(block - before) <= 2 * SMALL;
        before = block;
    }
    REQUIRE(beside < COUNT / 2);
}

/* A cache is filled from all over the slab: what it mixes are no neighbours either. */
TEST(the_first_blocks_of_a_size_do_not_fill_a_row)
{
    ONLY_LIBRARY();
    const size_t sizes[] = {16, 24, 40, 50, 64, 70, 90, 100};
    enum { COUNT = 16 };
    size_t rows = 0;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char *first = malloc(sizes[i]);
        char *last = first;
        for (int n = 1; n < COUNT; n++) {
            char *block = malloc(sizes[i]);
            first = block < first ? block : first;
            last = block > last ? block : last;
        }
        size_t slot = (sizes[i] + 8 + 15) / 16 * 16;
        rows += (size_t)(last - first) < 3 * COUNT / 2 * slot;
    }
    REQUIRE(rows <= COUNT_OF(sizes) / 2);
}

/* Its mapping may have been that of a longer block, which has left the quarantine. */
TEST(a_huge_block_ends_before_its_guard_page)
{
    ONLY_LIBRARY();
    enum { LONG = 42000000, SHORT = 40000000, OTHER = 60000000, OTHERS = 128 };
    static char *others[OTHERS];
    char *block = malloc(LONG);
    for (size_t i = 0; i < OTHERS; i++) {
        REQUIRE((others[i] = malloc(OTHER)) != NULL);
    }
    free(block);
    for (size_t i = 0; i < OTHERS; i++) {
        free(others[i]);
    }
    block = malloc(SHORT);
    REQUIRE(block != NULL);
    size_t usable = malloc_usable_size(block);
    REQUIRE(usable >= SHORT);
    for (size_t i = 0; i < usable; i += 4096) {
        REQUIRE_EQUAL(block[i], 0);
        block[i] = 1;
    }
    block[usable - 1] = 1;
    free(block);
}

TEST(usable_size_is_what_was_asked_for)
{
    ONLY_LIBRARY();
    for (size_t bytes = 0; bytes < 200 * KIB; bytes = bytes * 2 + 1) {
        void *block = malloc(bytes);
        REQUIRE_EQUAL(malloc_usable_size(block), bytes);
        free(block);
    }
}
