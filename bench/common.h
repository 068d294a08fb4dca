/*
 * common: what every workload shares.
 *
 * A workload is one small program that allocates like a known kind of real program. It takes
 *     -t THREADS  -s SCALE (1 = full size)  -r SEED  -v VARIANT  -f  -l FILE
 * measures its own working part, checks the contents of its blocks, and ends with one line
 *     result name=tree threads=1 ops=... seconds=... rss_after_kib=... malloc=/lib/...
 * Wrong contents or a failed allocation end it at once with a message and status 3.
 *
 * Contents: a block carries a tag that its owner remembers elsewhere, and words computed from
 * tag and offset. Normally these are the first word, one word per page and the last word, which is
 * about what a program touches; with -f (the smoke run) it is every byte, so that no overlap of
 * two blocks goes unseen.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

struct bench {
    const char *name;
    char variant[32];      // "" when the workload has one form only
    const char *live_file; // where the live bytes over time go; NULL: nowhere
    double scale;
    uint64_t seed;
    unsigned thread_count;
    bool check_all; // -f: fill and check every byte
};
extern struct bench g_bench; // [const] after bench_init

// Reads the arguments; `variants` is a list of words ("fifo lifo"), the first is the default.
void bench_init(int argc, char **argv, const char *name, const char *variants);
bool bench_is_variant(const char *variant);
// A full-size count at the asked scale, never below `least`.
size_t bench_scaled(size_t full, size_t least);
// Adds "name=value" to the result line.
void bench_metric(const char *name, double value);
// Prints the result line. The caller has already freed what it wants to be seen as given back.
void bench_result(uint64_t operations, double seconds);
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

double bench_now(void); // seconds, monotonic
// Bytes resident now, exact (from smaps_rollup), read without malloc; `field` is "Rss:" or such.
size_t bench_resident(const char *field);
// Zeroed room for the workload's own tables, outside the measured allocator.
void *bench_table(size_t bytes);
// Notes the live bytes of this moment for the plots of memory over time.
void bench_note_live(size_t live_bytes);

// Runs `work` on `thread_count` threads and waits for all; argument i is (char *)args + i * size.
void bench_run_threads(unsigned thread_count, void (*work)(void *), void *args, size_t size);
// Starts a thread that nobody joins.
void bench_detach(void *(*work)(void *), void *arg);

struct rng {
    uint64_t state;
};
// An independent stream of the run's seed.
static inline struct rng rng_make(uint64_t stream)
{
    return (struct rng){(g_bench.seed + stream) * 0x9e3779b97f4a7c15U + 0x632be59bd9b4e019U};
}

static inline uint64_t rng_next(struct rng *r) // splitmix64
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static inline size_t rng_below(struct rng *r, size_t bound)
{
    return (size_t)(((__uint128_t)rng_next(r) * bound) >> 64);
}

static inline size_t rng_between(struct rng *r, size_t low, size_t high) // both included
{
    return low + rng_below(r, high - low + 1);
}

// Sizes as programs have them: each doubling from `low` to `high` (powers of two) equally likely.
static inline size_t rng_log_size(struct rng *r, size_t low, size_t high)
{
    unsigned doublings = (unsigned)(__builtin_ctzl(high) - __builtin_ctzl(low));
    size_t base = low << rng_below(r, doublings);
    return base + rng_below(r, base);
}

void rng_shuffle(struct rng *r, uint32_t *items, size_t count);

struct block {
    unsigned char *at; // NULL: no block
    uint32_t bytes;
    uint32_t tag;
};

static inline uint64_t block_word(uint32_t tag, size_t offset)
{
    return (offset + 1 + ((uint64_t)tag << 24)) * 0xd6e8feb86659fd93U;
}

void block_stamp(const struct block *b); // writes the contents
void block_check(const struct block *b); // ends the program when they are not there any more

// Takes over memory from any allocation function as a block, and stamps it.
struct block block_adopt(void *at, size_t bytes, uint32_t tag);
struct block block_new(size_t bytes, uint32_t tag);
void block_free(struct block *b);                 // checks, frees, and forgets; NULL is fine
void block_resize(struct block *b, size_t bytes); // realloc to bytes > 0; checks what was kept
void block_check_zero(const void *at, size_t bytes);

#endif
