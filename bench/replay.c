/*
 * replay: repeats a recorded trace under the allocator that serves this process.
 *     LD_PRELOAD=./libmyalloc.so replay [--touch none|first|pages|all] [--over-time FILE]
 *                                       [--repeat N] TRACE
 * Each recorded thread is a thread here. A thread that frees (or reallocates) another's block waits
 * until that block was allocated; otherwise threads run as fast as they can. Reported are the time,
 * the peak RSS without the replayer's own tables, and RSS / live bytes over time.
 *
 * --touch: what is written into a new block: nothing, its first word, one word per page (the
 * default), or every byte. Unless it is "none", the first word is checked when the block ends.
 * --repeat: how often the program runs, one run after the other in this process; what a run leaves
 * is freed before the next one, outside of the measured time.
 */
#include "common.h"
#include "trace_plan.h"

#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, SPINS = 200, SAMPLE_LIMIT = 1 << 16, SAMPLE_NS = 5000000 };
enum touch { TOUCH_NONE, TOUCH_FIRST, TOUCH_PAGES, TOUCH_ALL };

struct replay_slot {             // one block of the plan
    _Atomic(unsigned char *) at; // NULL before it is allocated and after it has ended
    uint64_t size;               // [the thread that ends the block reads it after `at`]
};

struct replay_thread {
    const struct plan_thread *todo;
    _Atomic(int64_t) live_bytes; // [owner] allocated minus freed by this thread
};

struct sample {
    double seconds;
    uint64_t live_bytes, resident_bytes;
};

static struct {
    struct plan plan;
    struct replay_slot *slots;
    struct replay_thread *threads;
    enum touch touch;
    size_t repeat_count;
    sem_t ended; // posted by each thread at its end
    struct sample *samples;
    size_t sample_count;
    size_t table_bytes; // resident before the replay: not the program's
    double started;
    atomic_bool stop_sampling;
} g_replay;

// ---- blocks ----

static uint64_t first_word(uint32_t block)
{
    return (block + UINT64_C(1)) * 0xd6e8feb86659fd93U;
}

static void touch_block(unsigned char *at, uint64_t size, uint32_t block)
{
    if (g_replay.touch == TOUCH_NONE) {
        return;
    }
    if (g_replay.touch == TOUCH_ALL) {
        memset(at, (int)block, size);
    }
    for (uint64_t offset = 0; g_replay.touch == TOUCH_PAGES && offset < size;
         offset += PAGE_BYTES) {
        at[offset] = (unsigned char)block;
    }
    uint64_t word = first_word(block);
    memcpy(at, &word, size < sizeof word ? size : sizeof word);
}

static void check_block(const unsigned char *at, uint64_t size, uint32_t block)
{
    uint64_t word = first_word(block);
    if (g_replay.touch != TOUCH_NONE &&
        memcmp(at, &word, size < sizeof word ? size : sizeof word) != 0) {
        bench_fail("wrong contents in block %u of %llu bytes at %p", block,
                   (unsigned long long)size, (const void *)at);
    }
}

static void add_live(struct replay_thread *self, int64_t bytes)
{
    int64_t live = atomic_load_explicit(&self->live_bytes, memory_order_relaxed);
    atomic_store_explicit(&self->live_bytes, live + bytes, memory_order_relaxed);
}

static void begin_block(struct replay_thread *self, const struct plan_op *op, void *at)
{
    if (at == NULL) {
        bench_fail("no memory for %llu bytes", (unsigned long long)op->size);
    }
    struct replay_slot *slot = &g_replay.slots[op->block];
    touch_block(at, op->size, op->block);
    slot->size = op->size;
    add_live(self, (int64_t)op->size);
    // release: pairs with the acquire of await_block in the thread that ends the block
    atomic_store_explicit(&slot->at, at, memory_order_release);
}

// The address of a block; waits until whoever allocates it has done so.
static unsigned char *await_block(uint32_t block)
{
    unsigned char *at;
    unsigned spins = 0;
    // acquire: pairs with the release of begin_block
    while ((at = atomic_load_explicit(&g_replay.slots[block].at, memory_order_acquire)) == NULL) {
        if (++spins > SPINS) {
            sched_yield();
        }
    }
    return at;
}

static unsigned char *end_block(struct replay_thread *self, uint32_t block)
{
    unsigned char *at = await_block(block);
    uint64_t size = g_replay.slots[block].size;
    check_block(at, size, block);
    add_live(self, -(int64_t)size);
    atomic_store_explicit(&g_replay.slots[block].at, NULL, memory_order_relaxed);
    return at;
}

static size_t asked(const struct plan_op *op) // NULL may only mean failure, so never 0
{
    return op->size != 0 ? op->size : 1;
}

static void *resize(struct replay_thread *self, const struct plan_op *op)
{
    unsigned char *old = end_block(self, op->source);
    uint64_t old_size = g_replay.slots[op->source].size;
    unsigned char *at = realloc(old, asked(op));
    if (at != NULL) {
        check_block(at, old_size < op->size ? old_size : op->size, op->source);
    }
    return at;
}

static void *new_zeroed(const struct plan_op *op)
{
    unsigned char *at = calloc(1, asked(op));
    if (at != NULL && g_replay.touch != TOUCH_NONE) {
        block_check_zero(at, op->size);
    }
    return at;
}

static void *new_aligned(const struct plan_op *op)
{
    void *at = NULL;
    size_t alignment = (size_t)1 << op->alignment_log2;
    alignment = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    return posix_memalign(&at, alignment, asked(op)) == 0 ? at : NULL;
}

// ---- threads ----

static void *run_thread(void *arg);

static void run_op(struct replay_thread *self, const struct plan_op *op)
{
    switch ((enum plan_kind)op->kind) {
    case PLAN_MALLOC:
        begin_block(self, op, malloc(asked(op)));
        break;
    case PLAN_CALLOC:
        begin_block(self, op, new_zeroed(op));
        break;
    case PLAN_ALIGNED:
        begin_block(self, op, new_aligned(op));
        break;
    case PLAN_REALLOC:
        begin_block(self, op, resize(self, op));
        break;
    case PLAN_FREE:
        free(end_block(self, op->block));
        break;
    case PLAN_SPAWN:
        bench_detach(run_thread, &g_replay.threads[op->block]);
        break;
    }
}

static void *run_thread(void *arg)
{
    struct replay_thread *self = arg;
    for (size_t i = 0; i < self->todo->op_count; i++) {
        run_op(self, &self->todo->ops[i]);
    }
    sem_post(&g_replay.ended);
    return NULL;
}

// ---- memory over time ----

static uint64_t live_now(void)
{
    int64_t live = 0;
    for (uint32_t i = 0; i < g_replay.plan.thread_count; i++) {
        live += atomic_load_explicit(&g_replay.threads[i].live_bytes, memory_order_relaxed);
    }
    return live > 0 ? (uint64_t)live : 0; // the counters are not read at one moment
}

static uint64_t resident_now(int statm)
{
    char text[128];
    ssize_t length = pread(statm, text, sizeof text - 1, 0);
    if (length <= 0) {
        return 0;
    }
    text[length] = '\0';
    uint64_t bytes = strtoul(strchr(text, ' '), NULL, 10) * PAGE_BYTES;
    return bytes > g_replay.table_bytes ? bytes - g_replay.table_bytes : 0;
}

static void *run_sampler(void *arg)
{
    (void)arg;
    const struct timespec step = {0, SAMPLE_NS};
    int statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    while (!atomic_load_explicit(&g_replay.stop_sampling, memory_order_relaxed) &&
           g_replay.sample_count < SAMPLE_LIMIT) {
        g_replay.samples[g_replay.sample_count++] =
            (struct sample){bench_now() - g_replay.started, live_now(), resident_now(statm)};
        nanosleep(&step, NULL);
    }
    close(statm);
    return NULL;
}

static void write_samples(const char *file_name)
{
    FILE *out = fopen(file_name, "w");
    if (out == NULL) {
        bench_fail("cannot write %s", file_name);
    }
    fprintf(out, "seconds,live_kib,rss_kib\n");
    for (size_t i = 0; i < g_replay.sample_count; i++) {
        const struct sample *s = &g_replay.samples[i];
        fprintf(out, "%.4f,%zu,%zu\n", s->seconds, s->live_bytes / KIB, s->resident_bytes / KIB);
    }
    fclose(out);
}

// Mean over time of RSS / live bytes, where anything is live.
static double mean_overhead(void)
{
    double resident = 0;
    double live = 0;
    for (size_t i = 0; i < g_replay.sample_count; i++) {
        resident += (double)g_replay.samples[i].resident_bytes;
        live += (double)g_replay.samples[i].live_bytes;
    }
    return live > 0 ? resident / live : 0;
}

// ---- the run ----

// Lets the kernel count the peak RSS anew from here on.
static void reset_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "5", 1) != 1) {
        bench_fail("cannot reset the peak RSS");
    }
    close(fd);
}

static size_t peak_resident(void)
{
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0) {
        bench_fail("cannot read /proc/self/status");
    }
    close(fd);
    text[length] = '\0';
    const char *found = strstr(text, "VmHWM:");
    return found != NULL ? strtoul(found + strlen("VmHWM:"), NULL, 10) * KIB : 0;
}

// Makes all tables and writes to each of their pages, so that none adds to the RSS later.
static size_t prepare_tables(void)
{
    const struct plan *plan = &g_replay.plan;
    size_t slot_bytes = (plan->block_count + 1) * sizeof *g_replay.slots;
    size_t thread_bytes = (plan->thread_count + 1) * sizeof *g_replay.threads;
    size_t sample_bytes = SAMPLE_LIMIT * sizeof *g_replay.samples;
    g_replay.slots = bench_table(slot_bytes);
    g_replay.threads = bench_table(thread_bytes);
    g_replay.samples = bench_table(sample_bytes);
    memset(g_replay.slots, 0, slot_bytes);
    memset(g_replay.samples, 0, sample_bytes);
    for (uint32_t i = 0; i < plan->thread_count; i++) {
        g_replay.threads[i].todo = &plan->threads[i];
    }
    return slot_bytes + thread_bytes + sample_bytes + plan_table_bytes(plan);
}

// One run of the recorded program; returns its seconds.
static double run_once(void)
{
    double started = bench_now();
    if (g_replay.plan.thread_count > 0) { // the program's main thread is ours
        run_thread(&g_replay.threads[0]);
    }
    for (uint32_t i = 0; i < g_replay.plan.thread_count; i++) {
        sem_wait(&g_replay.ended);
    }
    return bench_now() - started;
}

// Frees what the program still had when it ended.
static void free_rest(void)
{
    for (uint32_t i = 0; i < g_replay.plan.block_count; i++) {
        if (atomic_load_explicit(&g_replay.slots[i].at, memory_order_relaxed) != NULL) {
            free(end_block(&g_replay.threads[0], i));
        }
    }
}

static double run_plan(bool sampling)
{
    pthread_t sampler;
    sem_init(&g_replay.ended, 0, 0);
    reset_peak();
    g_replay.started = bench_now();
    if (sampling && pthread_create(&sampler, NULL, run_sampler, NULL) != 0) {
        bench_fail("cannot create the sampling thread");
    }
    double seconds = run_once();
    for (size_t i = 1; i < g_replay.repeat_count; i++) {
        free_rest();
        seconds += run_once();
    }
    atomic_store_explicit(&g_replay.stop_sampling, true, memory_order_relaxed);
    if (sampling) {
        pthread_join(sampler, NULL);
    }
    return seconds;
}

static void report(double seconds, const char *samples_file)
{
    const struct plan *plan = &g_replay.plan;
    size_t peak = peak_resident();
    peak -= peak > g_replay.table_bytes ? g_replay.table_bytes : 0;
    bench_metric("peak_kib", (double)peak / KIB);
    bench_metric("peak_live_kib", (double)plan->peak_live_bytes / KIB);
    if (samples_file != NULL) {
        bench_metric("rss_per_live", mean_overhead());
        write_samples(samples_file);
    }
    g_bench.thread_count = plan->thread_count;
    size_t operations = plan->op_count * g_replay.repeat_count;
    munmap(g_replay.slots, (plan->block_count + 1) * sizeof *g_replay.slots);
    munmap(g_replay.samples, SAMPLE_LIMIT * sizeof *g_replay.samples);
    plan_drop(&g_replay.plan);
    bench_result(operations, seconds);
}

static _Noreturn void usage(void)
{
    fprintf(stderr, "usage: replay [--touch none|first|pages|all] [--over-time FILE] "
                    "[--repeat N] TRACE\n");
    exit(2);
}

static enum touch parse_touch(const char *word)
{
    static const char *const k_words[] = {"none", "first", "pages", "all"};
    for (size_t i = 0; i < sizeof k_words / sizeof k_words[0]; i++) {
        if (strcmp(word, k_words[i]) == 0) {
            return (enum touch)i;
        }
    }
    usage();
}

int main(int argc, char **argv)
{
    static const struct option k_options[] = {{"touch", required_argument, NULL, 't'},
                                              {"over-time", required_argument, NULL, 'o'},
                                              {"repeat", required_argument, NULL, 'r'},
                                              {NULL, 0, NULL, 0}};
    g_bench.name = "replay";
    g_replay.touch = TOUCH_PAGES;
    g_replay.repeat_count = 1;
    const char *samples_file = NULL;
    for (int option; (option = getopt_long(argc, argv, "", k_options, NULL)) != -1;) {
        switch (option) {
        case 't':
            g_replay.touch = parse_touch(optarg);
            break;
        case 'o':
            samples_file = optarg;
            break;
        case 'r':
            g_replay.repeat_count = strtoul(optarg, NULL, 10);
            break;
        default:
            usage();
        }
    }
    if (optind + 1 != argc || g_replay.repeat_count < 1) {
        usage();
    }
    struct trace trace;
    if (!trace_read(&trace, argv[optind]) || !plan_make(&g_replay.plan, &trace)) {
        fprintf(stderr, "replay: %s: %s\n", argv[optind], trace.error);
        return 1;
    }
    if (trace.is_cut) {
        fprintf(stderr, "replay: %s is cut off: its first %zu records are repeated\n", argv[optind],
                trace.record_count);
    }
    trace_close(&trace);
    g_replay.table_bytes = prepare_tables();
    report(run_plan(samples_file != NULL), samples_file);
    return 0;
}
