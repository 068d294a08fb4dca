/* stress.c - threads come and go, pass blocks through one table and verify what they find in them.
 *
 * Every block begins with a header that says how long it is and with which seed the rest was
 * filled. Whoever takes a block out of the table owns it, verifies it, and frees it or passes it
 * on; so most blocks are freed by another thread than the one that asked for them.
 *   STRESS_SEED  the run's seed   STRESS_SECONDS  its length   STRESS_THREADS  threads at a time
 *   STRESS_SLOTS  blocks in the table
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/harness.h"

enum { SLOT_COUNT_MAX = 1 << 16, THREAD_COUNT_MAX = 64, STEPS_PER_THREAD_MAX = 4000 };

struct header {
    size_t bytes;
    uint64_t seed;
    uint64_t seal; // seal_of(bytes, seed)
};

static struct {
    _Atomic(struct header *) slots[SLOT_COUNT_MAX];
    _Atomic uint64_t steps;
    size_t slot_count;
    uint64_t seed;
    time_t deadline;
} g_span;

static uint64_t random_next(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t seal_of(size_t bytes, uint64_t seed)
{
    uint64_t state = bytes ^ (seed << 20);
    return random_next(&state);
}

/* Mostly small, with every tier present: of 1000 blocks 2 are huge. */
static size_t random_size(uint64_t *random)
{
    uint64_t pick = random_next(random) % 1000;
    uint64_t r = random_next(random);
    size_t extra = pick < 800   ? r % 1024
                   : pick < 970 ? r % (32 * KIB)
                   : pick < 998 ? r % MIB
                                : MIB + r % (4 * MIB);
    return sizeof(struct header) + extra;
}

/* Large blocks are verified at both ends only, or the run would be all memset. */
static size_t verified_bytes(size_t bytes)
{
    size_t payload = bytes - sizeof(struct header);
    return payload < 2048 ? payload : 2048;
}

static void block_seal(struct header *block, size_t bytes, uint64_t seed)
{
    *block = (struct header){bytes, seed, seal_of(bytes, seed)};
    size_t verified = verified_bytes(bytes);
    block_fill(block + 1, verified, (unsigned)seed);
    memset((char *)block + bytes - 1, (int)(unsigned char)seed, bytes > sizeof *block ? 1 : 0);
}

static void block_verify(const struct header *block)
{
    REQUIRE(block->seal == seal_of(block->bytes, block->seed));
    const unsigned char *last = (const unsigned char *)block + block->bytes - 1;
    size_t verified = verified_bytes(block->bytes);
    REQUIRE(block->bytes == sizeof *block || *last == (unsigned char)block->seed);
    REQUIRE(block_holds(block + 1, verified - (verified > 0 ? 1 : 0), (unsigned)block->seed));
}

static struct header *allocate_aligned(size_t bytes, uint64_t random)
{
    size_t alignment = (size_t)16 << random % 9;
    void *block = NULL;
    switch (random / 16 % 3) {
    case 0:
        block = memalign(alignment, bytes);
        break;
    case 1:
        block = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
        break;
    default:
        REQUIRE_EQUAL(posix_memalign(&block, alignment, bytes), 0);
        break;
    }
    REQUIRE(block_is_aligned(block, alignment));
    return block;
}

static struct header *allocate(size_t bytes, uint64_t random)
{
    struct header *block = NULL;
    switch (random % 8) {
    case 0:
        block = calloc(1, bytes);
        REQUIRE(block != NULL);
        REQUIRE(block_is_zero(block, bytes));
        break;
    case 1:
        block = allocate_aligned(bytes, random / 8);
        break;
    case 2:
        block = realloc(NULL, bytes);
        break;
    default:
        block = malloc(bytes);
        break;
    }
    REQUIRE(block != NULL);
    REQUIRE(block_is_aligned(block, 16));
    REQUIRE(malloc_usable_size(block) >= bytes);
    return block;
}

static struct header *reallocate(struct header *block, uint64_t *random)
{
    size_t old_bytes = block->bytes;
    size_t new_bytes = random_size(random);
    uint64_t seed = block->seed;
    struct header *moved = realloc(block, new_bytes);
    REQUIRE(moved != NULL);
    REQUIRE(moved->seal == seal_of(old_bytes, seed));
    size_t old_verified = verified_bytes(old_bytes);
    size_t kept =
        old_verified < verified_bytes(new_bytes) ? old_verified : verified_bytes(new_bytes);
    REQUIRE(block_holds(moved + 1, kept - (kept > 0 ? 1 : 0), (unsigned)seed));
    block_seal(moved, new_bytes, random_next(random));
    return moved;
}

static void release(struct header *block)
{
    if (block != NULL) {
        block_verify(block);
        memset(block, 0xdd, sizeof *block);
        free(block);
    }
}

static struct header *slot_exchange(size_t slot, struct header *block)
{
    return atomic_exchange_explicit(&g_span.slots[slot], block, memory_order_acq_rel);
}

static void step(uint64_t *random)
{
    size_t slot = random_next(random) % g_span.slot_count;
    struct header *block = slot_exchange(slot, NULL);
    if (block != NULL && random_next(random) % 4 == 0) {
        block_verify(block);
        block = reallocate(block, random);
    } else {
        release(block);
        size_t bytes = random_size(random);
        block = allocate(bytes, random_next(random));
        block_seal(block, bytes, random_next(random));
    }
    release(slot_exchange(slot, block));
    if (random_next(random) % 20000 == 0) {
        (void)malloc_trim(0);
    }
}

static void *short_life(void *argument)
{
    uint64_t random = *(uint64_t *)argument;
    uint64_t step_count = random_next(&random) % STEPS_PER_THREAD_MAX;
    for (uint64_t i = 0; i < step_count && time(NULL) < g_span.deadline; i++) {
        step(&random);
    }
    atomic_fetch_add_explicit(&g_span.steps, step_count, memory_order_relaxed);
    return NULL;
}

/* One of the threads that live through the whole run: starts short lives, one after the other. */
static void *long_life(void *argument)
{
    uint64_t random = *(uint64_t *)argument;
    while (time(NULL) < g_span.deadline) {
        uint64_t seed = random_next(&random);
        pthread_t thread;
        REQUIRE_EQUAL(pthread_create(&thread, NULL, short_life, &seed), 0);
        for (int i = 0; i < 100; i++) {
            step(&random);
        }
        pthread_join(thread, NULL);
    }
    return NULL;
}

static uint64_t setting(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 0) : fallback;
}

static void settle(void)
{
    g_span.seed = setting("STRESS_SEED", (uint64_t)time(NULL) * 1000 + (uint64_t)getpid());
    g_span.slot_count = setting("STRESS_SLOTS", 4096);
    g_span.deadline = time(NULL) + (time_t)setting("STRESS_SECONDS", 3);
    REQUIRE(g_span.slot_count <= SLOT_COUNT_MAX);
    dprintf(STDOUT_FILENO, "# STRESS_SEED=%llu\n", (unsigned long long)g_span.seed);
}

TEST(threads_find_their_blocks_intact)
{
    pthread_t threads[THREAD_COUNT_MAX];
    uint64_t seeds[THREAD_COUNT_MAX];
    size_t thread_count = setting("STRESS_THREADS", 4);
    REQUIRE(thread_count <= THREAD_COUNT_MAX);
    settle();
    for (size_t i = 0; i < thread_count; i++) {
        seeds[i] = g_span.seed + i;
        REQUIRE_EQUAL(pthread_create(&threads[i], NULL, long_life, &seeds[i]), 0);
    }
    for (size_t i = 0; i < thread_count; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < g_span.slot_count; i++) {
        release(slot_exchange(i, NULL));
    }
    dprintf(STDOUT_FILENO, "# %llu steps\n", (unsigned long long)g_span.steps);
    REQUIRE(g_span.steps > 0);
}
