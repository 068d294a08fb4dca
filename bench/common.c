#include "common.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, WORD_BYTES = 8, METRIC_LIMIT = 8, LIVE_LIMIT = 1 << 15, EXIT_WRONG = 3 };

struct bench g_bench;

struct metric {
    const char *name;
    double value;
};
struct live_note {
    double seconds;
    size_t bytes;
};
static struct {
    struct metric metrics[METRIC_LIMIT];
    size_t metric_count;
    struct live_note *notes; // NULL unless -l was given
    size_t note_count;
} g_log;

void bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: FAILED: ", g_bench.name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(EXIT_WRONG); // no atexit handlers: the heap cannot be trusted
}

static void usage(const char *variants)
{
    fprintf(stderr, "usage: %s [-t THREADS] [-s SCALE] [-r SEED] [-v VARIANT] [-f] [-l FILE]\n",
            g_bench.name);
    if (*variants != '\0') {
        fprintf(stderr, "variants: %s\n", variants);
    }
    exit(2);
}

// Sets the variant to the word of the list that equals `asked`, or to the first word when nothing
// is asked. False: there is no such word.
static bool choose_variant(const char *variants, const char *asked)
{
    for (const char *at = variants; *at != '\0';) {
        size_t length = strcspn(at, " ");
        if (asked == NULL || (strlen(asked) == length && strncmp(at, asked, length) == 0)) {
            snprintf(g_bench.variant, sizeof g_bench.variant, "%.*s", (int)length, at);
            return true;
        }
        at += length + strspn(at + length, " ");
    }
    return asked == NULL;
}

void bench_init(int argc, char **argv, const char *name, const char *variants)
{
    g_bench = (struct bench){.name = name, .scale = 1, .seed = 1, .thread_count = 1};
    const char *asked = NULL;
    for (int option; (option = getopt(argc, argv, "t:s:r:v:fl:")) != -1;) {
        switch (option) {
        case 't':
            g_bench.thread_count = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            g_bench.scale = strtod(optarg, NULL);
            break;
        case 'r':
            g_bench.seed = strtoull(optarg, NULL, 10);
            break;
        case 'v':
            asked = optarg;
            break;
        case 'f':
            g_bench.check_all = true;
            break;
        case 'l':
            g_bench.live_file = optarg;
            break;
        default:
            usage(variants);
        }
    }
    if (!choose_variant(variants, asked) || optind != argc || g_bench.thread_count < 1 ||
        g_bench.thread_count > 1024 || !(g_bench.scale > 0 && g_bench.scale <= 100)) {
        usage(variants);
    }
    if (g_bench.live_file != NULL) {
        g_log.notes = bench_table(LIVE_LIMIT * sizeof *g_log.notes);
    }
}

bool bench_is_variant(const char *variant)
{
    return strcmp(g_bench.variant, variant) == 0;
}

size_t bench_scaled(size_t full, size_t least)
{
    size_t count = (size_t)((double)full * g_bench.scale);
    return count > least ? count : least;
}

void bench_metric(const char *name, double value)
{
    if (g_log.metric_count == METRIC_LIMIT) {
        bench_fail("more than %d metrics", METRIC_LIMIT);
    }
    g_log.metrics[g_log.metric_count++] = (struct metric){name, value};
}

static void write_live_notes(void)
{
    FILE *out = fopen(g_bench.live_file, "w");
    if (out == NULL) {
        bench_fail("cannot write %s", g_bench.live_file);
    }
    for (size_t i = 0; i < g_log.note_count; i++) {
        fprintf(out, "%.6f %zu\n", g_log.notes[i].seconds, g_log.notes[i].bytes);
    }
    fclose(out);
}

// The file whose malloc this program calls: proof of which allocator was measured.
static const char *malloc_provider(void)
{
    Dl_info where;
    return dladdr(dlsym(RTLD_DEFAULT, "malloc"), &where) != 0 ? where.dli_fname : "unknown";
}

void bench_result(uint64_t operations, double seconds)
{
    size_t resident = bench_resident("Rss:"); // first: printf allocates
    printf("result name=%s threads=%u ops=%llu seconds=%.6f rss_after_kib=%zu", g_bench.name,
           g_bench.thread_count, (unsigned long long)operations, seconds, resident / KIB);
    for (size_t i = 0; i < g_log.metric_count; i++) {
        printf(" %s=%.3f", g_log.metrics[i].name, g_log.metrics[i].value);
    }
    printf(" malloc=%s\n", malloc_provider());
    if (g_log.notes != NULL) {
        write_live_notes();
    }
}

double bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

size_t bench_resident(const char *field)
{
    char text[4096];
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0) {
        bench_fail("cannot read /proc/self/smaps_rollup");
    }
    close(fd);
    text[length] = '\0';
    const char *found = strstr(text, field);
    if (found == NULL) {
        bench_fail("no %s in smaps_rollup", field);
    }
    return strtoul(found + strlen(field), NULL, 10) * KIB;
}

void *bench_table(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        bench_fail("no memory for a table of %zu bytes", bytes);
    }
    return at;
}

void bench_note_live(size_t live_bytes)
{
    if (g_log.notes != NULL && g_log.note_count < LIVE_LIMIT) {
        g_log.notes[g_log.note_count++] = (struct live_note){bench_now(), live_bytes};
    }
}

struct thread_job {
    pthread_t thread;
    void (*work)(void *);
    void *arg;
};

static void *run_job(void *arg)
{
    const struct thread_job *job = arg;
    job->work(job->arg);
    return NULL;
}

void bench_run_threads(unsigned thread_count, void (*work)(void *), void *args, size_t size)
{
    struct thread_job *jobs = bench_table(thread_count * sizeof *jobs);
    for (unsigned i = 0; i < thread_count; i++) {
        jobs[i].work = work;
        jobs[i].arg = (char *)args + i * size;
        if (pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]) != 0) {
            bench_fail("cannot create thread %u", i);
        }
    }
    for (unsigned i = 0; i < thread_count; i++) {
        pthread_join(jobs[i].thread, NULL);
    }
    munmap(jobs, thread_count * sizeof *jobs);
}

void bench_detach(void *(*work)(void *), void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, arg) != 0) {
        bench_fail("cannot create a thread");
    }
    pthread_detach(thread);
}

void rng_shuffle(struct rng *r, uint32_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = rng_below(r, i);
        uint32_t kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}

// Writes (or compares) the word at `offset`; the last word of a block may be a partial one.
static void visit_word(const struct block *b, size_t offset, bool write)
{
    size_t bytes = b->bytes - offset < WORD_BYTES ? b->bytes - offset : WORD_BYTES;
    uint64_t word = block_word(b->tag, offset);
    if (write) {
        memcpy(b->at + offset, &word, bytes);
    } else if (memcmp(b->at + offset, &word, bytes) != 0) {
        bench_fail("wrong contents at byte %zu of the %u-byte block %p (tag %u)", offset, b->bytes,
                   (void *)b->at, b->tag);
    }
}

static void visit_block(const struct block *b, bool write)
{
    if (b->bytes == 0) {
        return;
    }
    size_t step = g_bench.check_all ? WORD_BYTES : PAGE_BYTES;
    for (size_t offset = 0; offset < b->bytes; offset += step) {
        visit_word(b, offset, write);
    }
    visit_word(b, (size_t)(b->bytes - 1) / WORD_BYTES * WORD_BYTES, write);
}

void block_stamp(const struct block *b)
{
    visit_block(b, true);
}

void block_check(const struct block *b)
{
    visit_block(b, false);
}

struct block block_adopt(void *at, size_t bytes, uint32_t tag)
{
    if (at == NULL) {
        bench_fail("no memory for %zu bytes", bytes);
    }
    struct block b = {at, (uint32_t)bytes, tag};
    block_stamp(&b);
    return b;
}

struct block block_new(size_t bytes, uint32_t tag)
{
    return block_adopt(malloc(bytes), bytes, tag);
}

void block_free(struct block *b)
{
    if (b->at != NULL) {
        block_check(b);
        free(b->at);
        b->at = NULL;
    }
}

// Of a block cut to `bytes`: the bytes up to the end of its last word that was surely written.
static size_t kept_prefix(size_t bytes)
{
    size_t page = (bytes - 1) / PAGE_BYTES * PAGE_BYTES;
    return bytes - page < WORD_BYTES ? bytes : page + WORD_BYTES;
}

void block_resize(struct block *b, size_t bytes)
{
    struct block kept = *b;
    kept.at = realloc(b->at, bytes);
    if (kept.at == NULL) {
        bench_fail("no memory to resize %u bytes to %zu", b->bytes, bytes);
    }
    if (bytes < kept.bytes) {
        kept.bytes = (uint32_t)(g_bench.check_all ? bytes : kept_prefix(bytes));
    }
    block_check(&kept);
    *b = block_adopt(kept.at, bytes, b->tag);
}

void block_check_zero(const void *at, size_t bytes)
{
    const unsigned char *byte = at;
    size_t step = g_bench.check_all ? 1 : PAGE_BYTES;
    size_t dirty = bytes; // offset of a byte that is not zero
    for (size_t offset = 0; offset < bytes; offset += step) {
        dirty = byte[offset] != 0 ? offset : dirty;
    }
    dirty = bytes > 0 && byte[bytes - 1] != 0 ? bytes - 1 : dirty;
    if (dirty != bytes) {
        bench_fail("byte %zu of a calloc of %zu bytes is not zero", dirty, bytes);
    }
}
