/* h31_left_by_jump.c - signal handlers that leave a slow path by siglongjmp, or never end, or free
 * blocks of every kind there. A page of a free block that may not be read makes the slow path
 * fault, at a moment when it holds no lock: always at the same place, and with nothing to wait for.
 */
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/extensions.h"
#include "support/harness.h"

extern const unsigned __rseq_size __attribute__((weak));

/* Without restartable sequences a handler may have interrupted the change of a slot: one that stays
   is served from the reserve there. */
static bool is_restarted(void)
{
    return &__rseq_size != NULL && __rseq_size != 0;
}

enum { BLOCKS = 2000, ODD_BYTES = 20001 /* which only the reserve gives exactly */ };

static sigjmp_buf g_back;
static char *g_trap;
static volatile int g_faults;

static void leave(int signal_number)
{
    (void)signal_number;
    g_faults++;
    mprotect(g_trap, (size_t)getpagesize(), PROT_READ | PROT_WRITE);
    siglongjmp(g_back, 1);
}

static void handle(void (*handler)(int), int flags)
{
    const struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    REQUIRE_EQUAL(sigaction(SIGSEGV, &action, NULL), 0);
}

/* Its free takes a slow path, and faults there: the first frees of a class are looked at. */
static void set_trap(void)
{
    size_t page = (size_t)getpagesize();
    g_trap = memalign(page, 2 * page);
    REQUIRE(g_trap != NULL);
    g_faults = 0;
    REQUIRE_EQUAL(mprotect(g_trap, page, PROT_NONE), 0);
}

static __attribute__((noinline)) void lose_a_slow_path(void)
{
    set_trap();
    if (sigsetjmp(g_back, 1) == 0) {
        free(g_trap);
    }
    REQUIRE_EQUAL(g_faults, 1);
}

/* Blocks that came from the reserve. */
static unsigned take_blocks(void **blocks)
{
    unsigned odd = 0;
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(ODD_BYTES);
        REQUIRE(blocks[i] != NULL);
        memset(blocks[i], 1, ODD_BYTES);
        odd += malloc_usable_size(blocks[i]) == ODD_BYTES;
    }
    return odd;
}

static void free_blocks(void **blocks)
{
    for (int i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
    }
}

TEST(a_thread_whose_handler_jumped_away_is_served_as_before)
{
    ONLY_LIBRARY();
    void *blocks[BLOCKS];
    handle(leave, 0);
    for (int round = 0; round < 3; round++) {
        lose_a_slow_path();
        REQUIRE_EQUAL(take_blocks(blocks), 0);
        free_blocks(blocks);
    }
    malloc_trim(0);
    REQUIRE(mallinfo2().uordblks < (size_t)BLOCKS * ODD_BYTES / 8);
}

static __attribute__((noinline)) unsigned take_blocks_deep_below(void)
{
    void *blocks[BLOCKS];
    volatile char frame[100000];
    frame[0] = 0;
    unsigned odd = take_blocks(blocks);
    free_blocks(blocks);
    return odd + (unsigned)frame[0];
}

TEST(so_is_what_runs_deeper_than_the_path_that_was_left)
{
    ONLY_LIBRARY();
    handle(leave, 0);
    lose_a_slow_path();
    REQUIRE(take_blocks_deep_below() < 100 || !is_restarted());
    REQUIRE(take_blocks_deep_below() == 0 || !is_restarted());
    size_t in_use = mallinfo2().uordblks;
    REQUIRE(take_blocks_deep_below() == 0 || !is_restarted());
    REQUIRE(mallinfo2().uordblks <= in_use + 100000);
}

/* Frees that waited for the path that was left. */
static void leave_after_free(int signal_number)
{
    free(*(void **)(g_trap + (size_t)getpagesize()));
    leave(signal_number);
}

TEST(what_the_handler_freed_before_it_jumped_is_free)
{
    ONLY_LIBRARY();
    handle(leave_after_free, 0);
    size_t page = (size_t)getpagesize();
    size_t in_use = 0;
    for (int round = 0; round < 4; round++) {
        set_trap();
        *(void **)(g_trap + page) = memset(malloc(10 * MIB), 1, 10 * MIB);
        if (sigsetjmp(g_back, 1) == 0) {
            free(g_trap);
        }
        REQUIRE_EQUAL(g_faults, 1);
        free(malloc(ODD_BYTES));
        malloc_trim(0);
        REQUIRE(round == 0 || mallinfo2().uordblks < in_use + MIB);
        in_use = mallinfo2().uordblks;
    }
}

static volatile unsigned g_odd;
static void *g_reported[20000];

static void report(int signal_number)
{
    (void)signal_number;
    unsigned odd = 0;
    for (size_t i = 0; i < COUNT_OF(g_reported); i++) {
        g_reported[i] = malloc(1001);
        if (g_reported[i] == NULL) {
            _exit(1);
        }
        memset(g_reported[i], 1, 1001);
        odd += malloc_usable_size(g_reported[i]) == 1001;
    }
    g_odd = odd;
    mprotect(g_trap, (size_t)getpagesize(), PROT_READ | PROT_WRITE); // and the path goes on
}

static void require_report(int flags)
{
    handle(report, flags);
    set_trap();
    free(g_trap);
    REQUIRE(g_odd < 100 || !is_restarted());
    for (size_t i = 0; i < COUNT_OF(g_reported); i++) {
        free(g_reported[i]);
    }
    void *blocks[BLOCKS];
    REQUIRE_EQUAL(take_blocks(blocks), 0);
    free_blocks(blocks);
}

TEST(a_handler_that_reports_is_served_and_the_path_goes_on)
{
    ONLY_LIBRARY();
    require_report(0);
}

TEST(so_is_one_on_a_stack_of_its_own_above_or_below)
{
    ONLY_LIBRARY();
    static char below[256 * 1024]; // of the main thread
    char above[256 * 1024];
    stack_t stack = {.ss_sp = above, .ss_size = sizeof above};
    REQUIRE_EQUAL(sigaltstack(&stack, NULL), 0);
    require_report(SA_ONSTACK);
    stack.ss_sp = below;
    REQUIRE_EQUAL(sigaltstack(&stack, NULL), 0);
    require_report(SA_ONSTACK);
}

static struct myalloc_pool *g_pool;
static void *g_given[64];
static size_t g_given_count;

static void free_all(int signal_number)
{
    (void)signal_number;
    g_faults++;
    for (size_t i = 0; i < g_given_count; i++) {
        free(g_given[i]);
    }
    if (g_pool != NULL) {
        myalloc_pool_destroy(g_pool);
    }
    mprotect(g_trap, (size_t)getpagesize(), PROT_READ | PROT_WRITE);
}

/* One round: the handler frees blocks of every size, and a pool. */
static void free_all_in_a_slow_path(void)
{
    g_given_count = 0;
    for (size_t bytes = 1; bytes <= 64 * MIB; bytes = bytes * 2 + 1) {
        g_given[g_given_count++] = malloc(bytes);
    }
    for (size_t alignment = 16; alignment <= 4 * MIB; alignment *= 8) {
        g_given[g_given_count++] = memalign(alignment, 100000);
    }
    g_pool = myalloc_pool_create != NULL ? myalloc_pool_create(0, 0) : NULL;
    for (size_t i = 0; g_pool != NULL && i < 1000; i++) {
        REQUIRE(myalloc_pool_alloc(g_pool, 1000) != NULL);
    }
    for (size_t i = 0; i < g_given_count; i++) {
        REQUIRE(g_given[i] != NULL);
    }
    set_trap();
    free(g_trap);
    REQUIRE_EQUAL(g_faults, 1);
}

TEST(what_a_handler_frees_in_a_slow_path_of_every_kind_is_free_afterwards)
{
    ONLY_LIBRARY();
    handle(free_all, 0);
    size_t in_use = 0;
    for (int round = 0; round < 8; round++) {
        free_all_in_a_slow_path();
        free(malloc(ODD_BYTES));
        malloc_trim(0);
        REQUIRE(round == 0 || mallinfo2().uordblks <= in_use + KIB);
        in_use = mallinfo2().uordblks;
    }
}
