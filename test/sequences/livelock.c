/* livelock.c - H27: whoever steps through malloc and free, as debuggers and software watchpoints
 * do, aborts each sequence, and comes to the end all the same. A step takes up to 70 us, and a call
 * some 500 of them; so of a thousand calls the beginning is stepped through, with the sequence of
 * the fast path in it, and fewer are stepped through wholly.
 *   CALLS  of malloc, and as many of free, that are stepped through wholly
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/affinity.h"
#include "support/harness.h"
#include "support/rseq_area.h"
#include "support/tracer.h"

enum {
    CALLS_BEGUN = 1000,
    STEPS_BEGUN = 40, // more than malloc and free have
    FAST_BYTES = 96,  // of either, about; less than there is on aarch64
    CALLS_WHOLLY = 40,
    CALLS_MAX = 1000,
    STEPS_MAX = 4000, // of a call
};

static const size_t g_sizes[] = {24, 24, 200, 24, 5000};
static void *g_blocks[CALLS_MAX];
static size_t g_calls; // of malloc, and as many of free

static void call_in_pairs(void)
{
    for (size_t i = 0; i < 100; i++) {
        free(malloc(24)); // not stepped
    }
    tracer_marker();
    for (size_t i = 0; i < g_calls; i++) {
        char *block = malloc(g_sizes[i % COUNT_OF(g_sizes)]);
        REQUIRE(block != NULL);
        *block = (char)i;
        free(block);
    }
    tracer_marker();
}

static void call_in_bulk(void)
{
    tracer_marker();
    for (size_t i = 0; i < g_calls; i++) {
        g_blocks[i] = malloc(g_sizes[i % COUNT_OF(g_sizes)]);
        REQUIRE(g_blocks[i] != NULL);
        *(size_t *)g_blocks[i] = i;
    }
    for (size_t i = 0; i < g_calls; i++) {
        REQUIRE(*(size_t *)g_blocks[i] == i);
        free(g_blocks[i]);
    }
    tracer_marker();
}

/* One step; true: it came to the marker. */
static bool step(pid_t pid, unsigned *steps)
{
    tracer_step(pid);
    struct user_regs_struct regs = tracer_wait(pid);
    REQUIRE((*steps)++ < 2 * g_calls * STEPS_MAX);
    return tracer_is_at_marker(&regs);
}

static void step_wholly(void (*body)(void))
{
    const char *calls = getenv("CALLS");
    g_calls = calls != NULL ? strtoul(calls, NULL, 10) : CALLS_WHOLLY;
    REQUIRE(g_calls <= CALLS_MAX);
    REQUIRE(stay_on_this_cpu()); // two processes that take turns do so fastest on one
    pid_t pid = tracer_begin(body);
    if (pid < 0) {
        return;
    }
    tracer_go_to_marker(pid);
    unsigned steps = 0;
    while (!step(pid, &steps)) {
    }
    dprintf(1, "# %zu calls took %u steps\n", 2 * g_calls, steps);
    tracer_end(pid);
}

static bool is_in_fast_path(uintptr_t address)
{
    return address - (uintptr_t)malloc < FAST_BYTES || address - (uintptr_t)free < FAST_BYTES;
}

/* The calls of malloc and free up to the marker; the first instructions of each by steps. */
static unsigned step_beginnings(pid_t pid)
{
    unsigned steps = 0;
    for (unsigned calls = 0;; calls++) {
        struct tracer_breakpoint at_malloc = tracer_plant(pid, (uintptr_t)malloc);
        struct tracer_breakpoint at_free = tracer_plant(pid, (uintptr_t)free);
        tracer_go(pid, 0);
        struct user_regs_struct regs = tracer_wait(pid);
        tracer_remove(pid, at_free);
        tracer_remove(pid, at_malloc);
        if (!tracer_has_hit(pid, &regs, at_malloc) && !tracer_has_hit(pid, &regs, at_free)) {
            REQUIRE(tracer_is_at_marker(&regs));
            return calls;
        }
        for (unsigned i = 0; i < STEPS_BEGUN; i++) {
            if (step(pid, &steps)) {
                return calls;
            }
        }
        if (library_uses_sequences()) {
            regs = tracer_regs(pid);
            REQUIRE(!is_in_fast_path(tracer_code(&regs))); // it has left it, or returned
        }
    }
}

TEST(a_thousand_calls_of_which_the_sequence_is_stepped_come_to_an_end)
{
    g_calls = CALLS_BEGUN;
    REQUIRE(stay_on_this_cpu()); // two processes that take turns do so fastest on one
    pid_t pid = tracer_begin(call_in_pairs);
    if (pid >= 0) {
        tracer_go_to_marker(pid);
        REQUIRE_EQUAL(step_beginnings(pid), 2 * g_calls);
        tracer_end(pid);
    }
}

TEST(stepping_through_pairs_comes_to_an_end)
{
    step_wholly(call_in_pairs);
}

TEST(stepping_through_many_of_each_comes_to_an_end)
{
    step_wholly(call_in_bulk);
}
