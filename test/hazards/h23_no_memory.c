/* h23_no_memory.c - memory is used up: every function says NULL and ENOMEM, the blocks there are
 * stay as they are, and the program goes on with what it then frees. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/harness.h"

enum { UNALIGNED = 4 /* of g_takes */ };
enum { BLOCKS_MAX = 1 << 20, EDGE_BYTES = 64, ROUNDS = 1, LIMIT_BYTES = 100 << 20 };

static const size_t g_sizes[] = {100, 1000, 5000, 30000, 200000, 1200000, 9000000};
static struct {
    unsigned char *at;
    size_t bytes;
} g_blocks[BLOCKS_MAX];
static size_t g_count;
static unsigned long g_refused, g_checked;

static void *take_malloc(size_t bytes)
{
    return malloc(bytes);
}
static void *take_calloc(size_t bytes)
{
    return calloc(1, bytes);
}
static void *take_realloc(size_t bytes)
{
    return realloc(NULL, bytes);
}
static void *take_reallocarray(size_t bytes)
{
    return reallocarray(NULL, bytes / 8, 8);
}
static void *take_memalign(size_t bytes)
{
    return memalign(256, bytes);
}
static void *take_aligned_alloc(size_t bytes)
{
    return aligned_alloc(64, bytes);
}
static void *take_valloc(size_t bytes)
{
    return valloc(bytes);
}
static void *take_pvalloc(size_t bytes)
{
    return pvalloc(bytes);
}
static void *take_posix_memalign(size_t bytes)
{
    void *block = &g_count;
    int error = posix_memalign(&block, 4096, bytes);
    REQUIRE(error == 0 || (error == ENOMEM && block == &g_count));
    errno = error != 0 ? error : errno;
    return error == 0 ? block : NULL;
}

static void *(*const g_takes[])(size_t) = {
    take_malloc,        take_calloc, take_realloc, take_reallocarray,   take_memalign,
    take_aligned_alloc, take_valloc, take_pvalloc, take_posix_memalign,
};

static size_t edge(size_t bytes)
{
    return bytes < EDGE_BYTES ? bytes : EDGE_BYTES;
}

/* Takes until refused. */
static void take_all(void *(*take)(size_t), size_t bytes)
{
    errno = 0;
    for (unsigned char *block = take(bytes); block != NULL; block = take(bytes)) {
        REQUIRE(g_count < BLOCKS_MAX);
        block_fill(block, edge(bytes), (unsigned)g_count);
        g_blocks[g_count].at = block;
        g_blocks[g_count++].bytes = bytes;
        errno = 0;
    }
    REQUIRE_EQUAL(errno, ENOMEM);
    g_refused++;
}

static size_t bytes_in_use(void)
{
    size_t bytes = 0;
    for (size_t i = 0; i < g_count; i++) {
        bytes += malloc_usable_size(g_blocks[i].at);
    }
    return bytes;
}

static void check_all(void)
{
    for (size_t i = 0; i < g_count; i++) {
        REQUIRE(block_holds(g_blocks[i].at, edge(g_blocks[i].bytes), (unsigned)i));
    }
    g_checked += g_count;
}

static void grow_some(void)
{
    for (size_t i = 0; i < g_count; i += g_count / 50 + 1) {
        errno = 0;
        REQUIRE(realloc(g_blocks[i].at, g_blocks[i].bytes + LIMIT_BYTES / 2) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
        g_refused++;
    }
}

/* A block that is large enough may stay, if there is none to move it to. */
static void shrink_some(void)
{
    for (size_t i = 0; i < g_count; i += g_count / 50 + 1) {
        size_t bytes = i % 3 == 0 ? g_blocks[i].bytes : g_blocks[i].bytes / (i % 3 * 10) + 1;
        void *moved = realloc(g_blocks[i].at, bytes);
        REQUIRE(moved != NULL);
        g_blocks[i].at = moved;
        g_blocks[i].bytes = bytes;
    }
}

static void free_all(void)
{
    while (g_count != 0) {
        g_count--;
        errno = 77;
        free(g_blocks[g_count].at);
        REQUIRE_EQUAL(errno, 77);
    }
}

/* The first requests of a size may be served by blocks of another one (core/cpu_cache.c). */
TEST(without_memory_free_blocks_of_a_size_serve_its_first_requests)
{
    enum { BYTES = 96, ALIGNMENT = 32, TAKEN = 8192, WANTED = 200 };
    const struct rlimit limit = {LIMIT_BYTES, RLIM_INFINITY};
    static void *taken[TAKEN];
    for (size_t i = 0; i < TAKEN; i++) {
        taken[i] = memalign(ALIGNMENT, BYTES);
        REQUIRE(taken[i] != NULL);
    }
    REQUIRE_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
    for (size_t bytes = MIB; bytes > BYTES; bytes /= 2) {
        take_all(take_malloc, bytes);
    }
    for (size_t i = 0; i < TAKEN; i++) {
        if (i % 3 != 0) {
            free(taken[i]);
        }
    }
    for (size_t i = 0; i < WANTED; i++) {
        REQUIRE(malloc(BYTES) != NULL);
    }
}

TEST(without_memory_every_function_refuses_and_nothing_is_lost)
{
    const struct rlimit limit = {LIMIT_BYTES, RLIM_INFINITY};
    REQUIRE_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
    for (unsigned i = 0; i < COUNT_OF(g_takes) * ROUNDS; i++) {
        take_all(g_takes[i % COUNT_OF(g_takes)], g_sizes[i % COUNT_OF(g_sizes)]);
        // What the round before freed is there again; aligned blocks have room between them.
        REQUIRE(bytes_in_use() > LIMIT_BYTES / (i % COUNT_OF(g_takes) < UNALIGNED ? 2 : 100));
        for (size_t s = COUNT_OF(g_sizes); s-- != 0;) { // what is left serves smaller ones
            take_all(g_takes[(i + s) % COUNT_OF(g_takes)], g_sizes[s]);
        }
        check_all();
        grow_some();
        shrink_some();
        check_all();
        free_all();
    }
    dprintf(STDOUT_FILENO, "# %lu requests refused, %lu blocks checked, lost: 0\n", g_refused,
            g_checked);
}
