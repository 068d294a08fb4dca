/* own_sequences.c - H29: a program that has restartable sequences of its own, in the same area and
 * beside malloc, also in signal handlers: counters of CPUs that are added to without a lock. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "support/harness.h"
#include "support/rseq_area.h"
#include "support/stamp.h"

enum { THREADS = 3, ROUNDS = 200000, CPUS = 1024 };

struct counter {
    _Alignas(64) uint64_t value;
};

static struct counter g_counters[CPUS];
static atomic_ulong g_added, g_aborted, g_handled;

/* Slowly, so that it is interrupted in the middle. False: it was. */
#if defined(__aarch64__)
static bool add_one(struct rseq_area *area)
{
    uint64_t at;
    uint64_t value;
    uint64_t turns;
    __asm__ volatile goto(".pushsection __rseq_cs, \"aw\", %%progbits\n"
                          ".balign 32\n"
                          "3: .long 0, 0\n"
                          ".quad 1f, 2f - 1f, 4f\n"
                          ".popsection\n"
                          ".pushsection .text.rseq_abort, \"ax\", %%progbits\n"
                          ".inst 0xd428bc00\n"
                          "4: b %l[aborted]\n"
                          ".popsection\n"
                          "adrp %[at], 3b\n"
                          "add %[at], %[at], :lo12:3b\n"
                          "str %[at], [%[area], #8]\n"
                          "1:\n"
                          "ldr %w[at], [%[area], #4]\n"
                          "add %[at], %[counters], %[at], lsl #6\n"
                          "ldr %[value], [%[at]]\n"
                          "mov %[turns], #100\n"
                          "5: subs %[turns], %[turns], #1\n"
                          "b.ne 5b\n"
                          "add %[value], %[value], #1\n"
                          "str %[value], [%[at]]\n"
                          "2:\n"
                          : [at] "=&r"(at), [value] "=&r"(value), [turns] "=&r"(turns)
                          : [area] "r"(area), [counters] "r"(g_counters)
                          : "cc", "memory"
                          : aborted);
    return true;
aborted:
    return false;
}
#else
static bool add_one(struct rseq_area *area)
{
    uint64_t at;
    uint64_t value;
    uint64_t turns;
    __asm__ volatile goto(".pushsection __rseq_cs, \"aw\", @progbits\n"
                          ".balign 32\n"
                          "3: .long 0, 0\n"
                          ".quad 1f, 2f - 1f, 4f\n"
                          ".popsection\n"
                          ".pushsection .text.rseq_abort, \"ax\", @progbits\n"
                          ".byte 0x0f, 0xb9, 0x3d\n"
                          ".long 0x53053053\n"
                          "4: jmp %l[aborted]\n"
                          ".popsection\n"
                          "lea 3b(%%rip), %[at]\n"
                          "mov %[at], 8(%[area])\n"
                          "1:\n"
                          "mov 4(%[area]), %k[at]\n"
                          "shl $6, %[at]\n"
                          "add %[counters], %[at]\n"
                          "mov (%[at]), %[value]\n"
                          "mov $100, %k[turns]\n"
                          "5: dec %k[turns]\n"
                          "jnz 5b\n"
                          "inc %[value]\n"
                          "mov %[value], (%[at])\n"
                          "2:\n"
                          : [at] "=&r"(at), [value] "=&r"(value), [turns] "=&r"(turns)
                          : [area] "r"(area), [counters] "r"(g_counters)
                          : "cc", "memory"
                          : aborted);
    return true;
aborted:
    return false;
}
#endif

static void add(void)
{
    struct rseq_area *area = rseq_area();
    while (!add_one(area)) {
        atomic_fetch_add(&g_aborted, 1);
    }
    atomic_fetch_add(&g_added, 1);
}

static void handle(int signal_number)
{
    (void)signal_number;
    int error = errno;
    add();
    if (harness_has_library()) {
        stamp_free(stamp_malloc(64, 1));
    }
    atomic_fetch_add(&g_handled, 1);
    errno = error;
}

static void *work(void *seed)
{
    void *blocks[16] = {NULL};
    uint64_t random = (uintptr_t)seed;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned at = stamp_random(&random) % COUNT_OF(blocks);
        stamp_free(blocks[at]);
        add();
        blocks[at] = stamp_malloc(stamp_random_bytes(&random), i);
        REQUIRE(blocks[at] != NULL);
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        stamp_free(blocks[i]);
    }
    return NULL;
}

TEST(sequences_of_the_program_run_beside_those_of_malloc)
{
    if (!rseq_is_registered()) {
        dprintf(1, "# skipped: there are no restartable sequences here\n");
        return;
    }
    const struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    REQUIRE_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    const struct itimerval every_100_us = {{0, 100}, {0, 100}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    REQUIRE_EQUAL(setitimer(ITIMER_REAL, &every_100_us, NULL), 0);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    uint64_t sum = 0;
    for (size_t i = 0; i < CPUS; i++) {
        sum += g_counters[i].value;
    }
    dprintf(1, "# %lu added, %lu signals, %lu sequences aborted\n", g_added, g_handled, g_aborted);
    REQUIRE_EQUAL(sum, g_added);
    REQUIRE(g_aborted > 0);
}
