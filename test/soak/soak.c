/* soak.c - threads, forks and refusals around the model: nothing may be lost.
 *
 * A run is a chain of generations. In each, threads work on tables of blocks that the threads of
 * the generation before left behind; short threads come and go between, children are forked, and
 * one more thread makes the kernel refuse memory now and then. Then all stand still for the audit.
 *   SOAK_SEED  the run's seed   SOAK_SECONDS  its length   SOAK_THREADS  workers at a time
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "soak/model.h"
#include "support/harness.h"
#include "support/process.h"

enum {
    THREADS_MAX = 16,
    ROUNDS_PER_GENERATION = 32,
    OPERATIONS_PER_ROUND = 16384,
    CHILD_OPERATIONS = 2000,
    CHILD_SECONDS = 60, // after which SIGALRM ends a child that hangs
    RSS_PERCENT = 5,
    RSS_SECONDS_MIN = 120 // shorter runs have too few samples for 5 %
};

static struct table g_tables[THREADS_MAX];
static struct {
    size_t thread_count;
    uint64_t seed;
    time_t begin;
    time_t seconds;
    atomic_bool is_over; // this generation: the squeezing thread ends
    atomic_ulong threads;
    atomic_ulong forks;
    uint64_t squeeze_random;
    double rss_sum[2]; // bytes: around a tenth of the run, and at its end
    unsigned rss_count[2];
} g_span;

static uint64_t setting(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 0) : fallback;
}

// ---- refusals ----

static void limit_addresses(int resource, rlim_t bytes)
{
    struct rlimit limit;
    REQUIRE_EQUAL(getrlimit(resource, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    REQUIRE_EQUAL(setrlimit(resource, &limit), 0);
}

static void pause_us(uint64_t us)
{
    const struct timespec length = {.tv_nsec = (long)us * 1000};
    nanosleep(&length, NULL);
}

/* RLIMIT_AS refuses every growth, RLIMIT_DATA the break and private mappings. */
static void *squeeze(void *unused)
{
    while (!atomic_load(&g_span.is_over)) {
        uint64_t random = model_random(&g_span.squeeze_random);
        int resource = random % 2 == 0 ? RLIMIT_AS : RLIMIT_DATA;
        pause_us(random / 2 % 16000);
        atomic_fetch_add(&g_shared.squeezes, 1);
        limit_addresses(resource, 0);
        pause_us(random / 65536 % 2000);
        limit_addresses(resource, RLIM_INFINITY);
        atomic_fetch_add(&g_shared.squeezes, 1);
    }
    return unused;
}

// ---- workers ----

static _Noreturn void live_as_child(struct table *table)
{
    atomic_store(&g_shared.is_child, true);
    alarm(CHILD_SECONDS);
    model_verify(table);
    model_run(table, CHILD_OPERATIONS);
    model_verify(table);
    _exit(0);
}

static void fork_once(struct table *table)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        live_as_child(table);
    }
    if (pid < 0) {
        REQUIRE(errno == EAGAIN || errno == ENOMEM);
        return;
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE_EQUAL(status, 0);
    atomic_fetch_add(&g_span.forks, 1);
}

static void *work_briefly(void *table)
{
    model_run(table, OPERATIONS_PER_ROUND);
    return NULL;
}

/* The table changes threads in the middle of its work. */
static void run_in_short_thread(struct table *table)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work_briefly, table) == 0) { // else no stack: squeezed
        pthread_join(thread, NULL);
        atomic_fetch_add(&g_span.threads, 1);
    }
}

static void *work(void *argument)
{
    struct table *table = argument;
    for (int round = 0; round < ROUNDS_PER_GENERATION; round++) {
        model_run(table, OPERATIONS_PER_ROUND);
        uint64_t random = model_random(&table->random);
        if (random % 16 == 0) {
            run_in_short_thread(table);
        } else if (random % 64 == 1) {
            fork_once(table);
        }
    }
    return NULL;
}

static void run_generation(void)
{
    pthread_t threads[THREADS_MAX];
    pthread_t squeezer;
    atomic_store(&g_span.is_over, false);
    REQUIRE_EQUAL(pthread_create(&squeezer, NULL, squeeze, NULL), 0);
    for (size_t i = 0; i < g_span.thread_count; i++) {
        int error = EAGAIN;
        while (error == EAGAIN) { // no stack while squeezed
            error = pthread_create(&threads[i], NULL, work, &g_tables[i]);
        }
        REQUIRE_EQUAL(error, 0);
    }
    for (size_t i = 0; i < g_span.thread_count; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store(&g_span.is_over, true);
    pthread_join(squeezer, NULL);
    atomic_fetch_add(&g_span.threads, g_span.thread_count + 1);
}

// ---- the run ----

/* Means over a tenth of the run each: a single sample depends on which large blocks are live. */
static void sample_rss(void)
{
    time_t percent = (time(NULL) - g_span.begin) * 100 / g_span.seconds;
    int window = percent >= 5 && percent < 15 ? 0 : percent >= 90 ? 1 : -1;
    if (window >= 0) {
        g_span.rss_sum[window] += (double)process_rss_bytes();
        g_span.rss_count[window]++;
    }
}

static void require_rss_flat(void)
{
    if (g_span.rss_count[0] == 0 || g_span.rss_count[1] == 0) {
        return;
    }
    double early = g_span.rss_sum[0] / g_span.rss_count[0];
    double late = g_span.rss_sum[1] / g_span.rss_count[1];
    dprintf(STDOUT_FILENO, "# RSS %.2f MiB at a tenth, %.2f MiB at the end: %+.2f %%\n",
            early / (double)MIB, late / (double)MIB, (late / early - 1) * 100);
    if (g_span.seconds >= RSS_SECONDS_MIN && harness_has_library()) {
        REQUIRE(late <= early * (100 + RSS_PERCENT) / 100);
    }
}

static void report(void)
{
    struct table sum = {0};
    for (size_t i = 0; i < g_span.thread_count; i++) {
        sum.operations += g_tables[i].operations;
        sum.checked += g_tables[i].checked;
        sum.refused += g_tables[i].refused;
    }
    dprintf(STDOUT_FILENO,
            "# %llu operations, %llu blocks checked, %llu injected failures met, %lu squeezes, "
            "%lu threads, %lu forks, lost: 0\n",
            (unsigned long long)sum.operations, (unsigned long long)sum.checked,
            (unsigned long long)sum.refused, g_shared.squeezes / 2, g_span.threads, g_span.forks);
    REQUIRE(sum.operations > 0 && (sum.refused > 0 || !harness_has_library()));
}

TEST(random_operations_agree_with_the_model)
{
    g_span.seed = setting("SOAK_SEED", (uint64_t)time(NULL) * 1000 + (uint64_t)getpid());
    g_span.seconds = (time_t)setting("SOAK_SECONDS", 20);
    g_span.thread_count = setting("SOAK_THREADS", 4);
    REQUIRE(g_span.thread_count > 0 && g_span.thread_count <= THREADS_MAX);
    dprintf(STDOUT_FILENO, "# SOAK_SEED=%llu\n", (unsigned long long)g_span.seed);
    g_span.squeeze_random = g_span.seed;
    for (size_t i = 0; i < g_span.thread_count; i++) {
        g_tables[i].random = g_span.seed + (i << 40);
    }
    g_span.begin = time(NULL);
    while (time(NULL) < g_span.begin + g_span.seconds) {
        run_generation();
        (void)model_audit(g_tables, g_span.thread_count);
        sample_rss();
    }
    report();
    require_rss_flat();
}
