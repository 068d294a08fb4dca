/* h31_clock.c - sandboxes forbid the time stamp counter, which the exact clocks read, and nearly
 * all system calls. */
#include <dlfcn.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/affinity.h"
#include "support/harness.h"
#include "support/tracer.h"

enum { BLOCK_COUNT = 64, SPANS = 40, REFILLS = 100 };

/* Spans that go back, refills, huge blocks: whatever makes an allocator look at a clock. */
static void look_at_clocks(void)
{
    static void *blocks[BLOCK_COUNT];
    for (int i = 0; i < SPANS; i++) {
        free(malloc(600 * KIB));
    }
    for (int i = 0; i < REFILLS; i++) {
        for (size_t k = 0; k < 8; k++) {
            blocks[k] = malloc(10 * KIB);
        }
        for (size_t k = 0; k < 8; k++) {
            free(blocks[k]);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        blocks[i] = malloc(40 * MIB);
    }
    for (size_t i = 0; i < 4; i++) {
        free(blocks[i]);
    }
}

static void run_tracee(void)
{
    tracer_marker();
    look_at_clocks();
    tracer_marker();
}

/* rdtsc, or rdtscp. */
static bool reads_counter(uint64_t code)
{
    return (code & 0xffff) == 0x310f || (code & 0xffffff) == 0xf9010f;
}

/* Steps through the kernel's own clock, to its return. */
static void step_through_clock(pid_t pid, struct user_regs_struct regs)
{
    uintptr_t stack = regs.rsp;
    uintptr_t back = tracer_peek(pid, stack);
    while (regs.rip != back || regs.rsp != stack + 8) {
        REQUIRE(!reads_counter(tracer_peek(pid, regs.rip)));
        tracer_step(pid);
        regs = tracer_wait(pid);
    }
}

TEST(no_clock_that_an_allocation_looks_at_reads_the_time_stamp_counter)
{
    void *kernels = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
    void *clock = kernels != NULL ? dlsym(kernels, "__vdso_clock_gettime") : NULL;
    pid_t pid = clock != NULL ? tracer_begin(run_tracee) : -1;
    if (pid < 0) {
        return;
    }
    unsigned looks = 0;
    tracer_go_to_marker(pid);
    for (;;) {
        struct tracer_breakpoint breakpoint = tracer_plant(pid, (uintptr_t)clock);
        tracer_go(pid, 0);
        struct user_regs_struct regs = tracer_wait(pid);
        tracer_remove(pid, breakpoint);
        if (!tracer_has_hit(pid, &regs, breakpoint)) {
            REQUIRE(tracer_is_at_marker(&regs));
            break;
        }
        looks++;
        step_through_clock(pid, regs);
    }
    tracer_end(pid);
    dprintf(STDOUT_FILENO, "# %u looks at a clock\n", looks);
    REQUIRE(looks != 0 || !harness_has_library());
}

/* The status of a child that runs BODY. */
static int status_of(void (*body)(void))
{
    int status = 0;
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        body();
        syscall(SYS_exit, 0);
    }
    REQUIRE_EQUAL(waitpid(pid, &status, 0), pid);
    return status;
}

static void work_without_counter(void)
{
    if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0) {
        look_at_clocks();
    }
}

TEST(the_heap_works_on_without_the_time_stamp_counter)
{
    REQUIRE_EQUAL(status_of(work_without_counter), 0);
}

/* Within what the cache of one CPU has at hand: no call for memory is allowed there. */
static void use_small_blocks(size_t rounds)
{
    static void *blocks[300];
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            blocks[i] = malloc(1 + (i * 37 + round % 7) % 3000);
            REQUIRE(blocks[i] != NULL);
        }
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            free(blocks[i]);
        }
    }
}

static void work_in_strict_mode(void)
{
    REQUIRE(stay_on_this_cpu());
    use_small_blocks(500);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0) {
        use_small_blocks(500);
    }
}

TEST(the_heap_works_on_in_the_strict_mode_of_seccomp)
{
    REQUIRE_EQUAL(status_of(work_in_strict_mode), 0);
}
