/* model.c - random calls of the whole malloc family, each compared with what a model expects.
 *
 * The contents of a block are a function of its seed and of the offset, so that a block that was
 * moved, lost, overlapped or handed out twice is seen at the next look. NULL is accepted only
 * while failures were being injected, and then the block in question must be as it was.
 */
#include "soak/model.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "myalloc.h"
#include "support/blocks.h"
#include "support/harness.h"

enum {
    RARE = 4096,
    DENSE_BYTES = 128,
    SPARSE_STEP = 4096,
    WORD = sizeof(uint64_t),
    ERRNO_BEFORE = 77
};

struct shared g_shared;

/* Not every libc has these: glibc 2.36 knows neither. */
static struct {
    void (*free_sized)(void *ptr, size_t bytes);
    void (*free_aligned_sized)(void *ptr, size_t alignment, size_t bytes);
    void (*cfree)(void *ptr);
    int (*stats)(struct myalloc_stats *stats, size_t size);
    int (*owns)(const void *ptr);
    int (*purge)(void);
} g_optional;

__attribute__((constructor)) static void look_up_optional(void)
{
    *(void **)&g_optional.free_sized = dlsym(RTLD_DEFAULT, "free_sized");
    *(void **)&g_optional.free_aligned_sized = dlsym(RTLD_DEFAULT, "free_aligned_sized");
    *(void **)&g_optional.cfree = dlsym(RTLD_DEFAULT, "cfree");
    *(void **)&g_optional.stats = dlsym(RTLD_DEFAULT, "myalloc_stats");
    *(void **)&g_optional.owns = dlsym(RTLD_DEFAULT, "myalloc_owns");
    *(void **)&g_optional.purge = dlsym(RTLD_DEFAULT, "myalloc_purge");
}

uint64_t model_random(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    return z ^ (z >> 31);
}

// ---- contents ----

static uint64_t word_at(uint32_t seed, size_t offset)
{
    return (seed + offset + 1) * 0x9E3779B97F4A7C15u;
}

/* One block in 32 is filled throughout, the others where they begin, once a page, and at the end.
 */
static size_t next_offset(const struct known *block, size_t offset)
{
    size_t next = offset + WORD;
    bool is_dense = block->bytes <= 2 * DENSE_BYTES || block->seed % 32 == 0;
    if (!is_dense && next > DENSE_BYTES) {
        next = (offset / SPARSE_STEP + 1) * SPARSE_STEP;
        size_t last = (block->bytes - WORD) / WORD * WORD;
        next = next > last && offset < last ? last : next;
    }
    return next;
}

static void fill(const struct known *block)
{
    size_t offset = 0;
    for (; offset + WORD <= block->bytes; offset = next_offset(block, offset)) {
        *(uint64_t *)(block->at + offset) = word_at(block->seed, offset);
    }
    for (size_t i = block->bytes / WORD * WORD; i < block->bytes; i++) {
        block->at[i] = (unsigned char)(block->seed + i);
    }
}

/* True when the first BYTES bytes at PLACE are what fill() wrote for the block. */
static bool holds(const struct known *block, const unsigned char *place, size_t bytes)
{
    uint64_t difference = 0;
    for (size_t offset = 0; offset + WORD <= bytes; offset = next_offset(block, offset)) {
        difference |= *(const uint64_t *)(place + offset) ^ word_at(block->seed, offset);
    }
    size_t tail = block->bytes / WORD * WORD;
    for (size_t i = tail; i < bytes; i++) {
        difference |= (unsigned char)(place[i] ^ (unsigned char)(block->seed + i));
    }
    return difference == 0;
}

static bool is_zero(const struct known *block)
{
    uint64_t any = 0;
    size_t offset = 0;
    for (; offset + WORD <= block->bytes; offset = next_offset(block, offset)) {
        any |= *(const uint64_t *)(block->at + offset);
    }
    for (size_t i = block->bytes / WORD * WORD; i < block->bytes; i++) {
        any |= block->at[i];
    }
    return any == 0;
}

static void verify(struct table *table, const struct known *block)
{
    REQUIRE(holds(block, block->at, block->bytes));
    table->checked++;
}

// ---- requests ----

static unsigned long squeezes_now(void)
{
    return atomic_load_explicit(&g_shared.squeezes, memory_order_seq_cst);
}

/* A refusal needs a reason: the kernel was refusing at some time between BEFORE and now. */
static void accept_refusal(struct table *table, unsigned long before, int error)
{
    bool is_expected = before % 2 != 0 || squeezes_now() != before ||
                       atomic_load_explicit(&g_shared.is_child, memory_order_relaxed);
    REQUIRE(is_expected);
    REQUIRE_EQUAL(error, ENOMEM);
    table->refused++;
}

/* glibc changes errno in successful calls, we never do. */
static void require_errno_kept(void)
{
    REQUIRE(errno == ERRNO_BEFORE || !harness_has_library());
}

/* Mostly small, every tier present, few bytes in the rare large ones: RSS stays near a mean. */
static size_t random_size(uint64_t *random)
{
    uint64_t pick = model_random(random);
    uint64_t r = pick >> 20;
    pick &= 0x3fff;
    return pick < 13000   ? r % 256
           : pick < 15900 ? r % 1100
           : pick < 16340 ? r % (34 * KIB)
           : pick < 16381 ? r % MIB
                          : r % (3 * MIB);
}

static size_t random_alignment(uint64_t random)
{
    return (size_t)8 << (random % 64 == 0 ? 18 : random / 64 % 12); // to 2 MiB, mostly to 16 KiB
}

static void *take_aligned(size_t bytes, uint64_t random, size_t *alignment)
{
    void *at = NULL;
    int error = 0;
    *alignment = random_alignment(random / 8);
    switch (random % 8) {
    case 0:
    case 1:
        return memalign(*alignment, bytes);
    case 2:
    case 3:
        return aligned_alloc(*alignment, bytes);
    case 4:
        *alignment = harness_page_bytes();
        return valloc(bytes);
    case 5:
        *alignment = harness_page_bytes();
        return pvalloc(bytes);
    default:
        error = posix_memalign(&at, *alignment, bytes);
        REQUIRE((error == 0) == (at != NULL));
        errno = error != 0 ? error : errno;
        return at;
    }
}

static void *take(struct known *block, uint64_t random, size_t *alignment)
{
    switch (random % 16) {
    case 0:
    case 1:
        block->at = calloc(block->bytes / 8, 8);
        block->bytes = block->bytes / 8 * 8;
        REQUIRE(block->at == NULL || is_zero(block));
        return block->at;
    case 2:
        return realloc(NULL, block->bytes);
    case 3:
        return reallocarray(NULL, block->bytes, 1);
    case 4:
        return take_aligned(block->bytes, random / 16, alignment);
    default:
        return malloc(block->bytes);
    }
}

static void allocate(struct table *table, struct known *block)
{
    uint64_t random = model_random(&table->random);
    size_t alignment = 16;
    *block = (struct known){NULL, random_size(&table->random), (uint32_t)random};
    unsigned long before = squeezes_now();
    errno = ERRNO_BEFORE;
    block->at = take(block, random >> 32, &alignment);
    table->operations++;
    if (block->at == NULL) {
        accept_refusal(table, before, errno);
        return;
    }
    require_errno_kept();
    REQUIRE(block_is_aligned(block->at, alignment));
    REQUIRE(block_is_aligned(block->at, 16));
    if (random % 4 == 0) { // what is usable may be used
        size_t usable = malloc_usable_size(block->at);
        table->operations++;
        REQUIRE(usable >= block->bytes);
        block->bytes = random % 8 == 0 ? usable : block->bytes;
    }
    fill(block);
}

static void release(struct table *table, struct known *block)
{
    uint64_t random = model_random(&table->random);
    verify(table, block);
    errno = ERRNO_BEFORE;
    if (random % 16 == 0 && g_optional.free_sized != NULL) {
        g_optional.free_sized(block->at, block->bytes);
    } else if (random % 16 == 1 && g_optional.free_aligned_sized != NULL) {
        g_optional.free_aligned_sized(block->at, 16, block->bytes);
    } else if (random % 16 == 2 && g_optional.cfree != NULL) {
        g_optional.cfree(block->at);
    } else if (random % 64 == 3) {
        REQUIRE(realloc(block->at, opaque_size(0)) == NULL);
    } else {
        free(block->at);
    }
    REQUIRE_EQUAL(errno, ERRNO_BEFORE);
    table->operations++;
    block->at = NULL;
}

static void resize(struct table *table, struct known *block)
{
    uint64_t random = model_random(&table->random);
    size_t bytes = random_size(&table->random) + 1;
    unsigned long before = squeezes_now();
    verify(table, block);
    errno = ERRNO_BEFORE;
    unsigned char *moved =
        random % 4 == 0 ? reallocarray(block->at, 1, bytes) : realloc(block->at, bytes);
    table->operations++;
    if (moved == NULL) {
        accept_refusal(table, before, errno);
        verify(table, block);
        return;
    }
    require_errno_kept();
    REQUIRE(block_is_aligned(moved, 16));
    REQUIRE(holds(block, moved, bytes < block->bytes ? bytes : block->bytes));
    *block = (struct known){moved, bytes, (uint32_t)(random >> 32)};
    fill(block);
}

/* Swaps with a block that another thread left there. */
static void hand_over(struct table *table, struct known *block)
{
    size_t slot = model_random(&table->random) % SHARED_SLOTS;
    if (atomic_load_explicit(&g_shared.is_child, memory_order_relaxed) ||
        atomic_flag_test_and_set_explicit(&g_shared.slots[slot].is_taken, memory_order_acquire)) {
        return;
    }
    struct known other = g_shared.slots[slot].block;
    g_shared.slots[slot].block = *block;
    atomic_flag_clear_explicit(&g_shared.slots[slot].is_taken, memory_order_release);
    *block = other;
}

// ---- rare calls ----

static void ask_the_impossible(struct table *table, struct known *block)
{
    void *untouched = block;
    errno = 0;
    REQUIRE(malloc(opaque_size(SIZE_MAX / 2 + 1)) == NULL && errno == ENOMEM);
    errno = 0;
    REQUIRE(calloc(opaque_size(SIZE_MAX / 2), 3) == NULL && errno == ENOMEM);
    REQUIRE_EQUAL(posix_memalign(&untouched, 24, 8), EINVAL);
    REQUIRE(untouched == block);
    table->operations += 3;
    if (block->at != NULL) {
        errno = 0;
        REQUIRE(reallocarray(block->at, opaque_size(SIZE_MAX / 2), 3) == NULL && errno == ENOMEM);
        REQUIRE(realloc(block->at, opaque_size(SIZE_MAX - 8)) == NULL);
        verify(table, block);
        table->operations += 2;
    }
}

static void tune(uint64_t random)
{
    switch (random % 4) {
    case 0:
        REQUIRE_EQUAL(mallopt(M_MMAP_THRESHOLD, (int)(64 * KIB << random / 4 % 8)), 1);
        break;
    case 1:
        REQUIRE_EQUAL(mallopt(M_TRIM_THRESHOLD, (int)(128 * KIB << random / 4 % 6)), 1);
        break;
    case 2:
        REQUIRE_EQUAL(mallopt(M_TOP_PAD, (int)(random / 4 % 512 * KIB)), 1);
        break;
    default:
        REQUIRE_EQUAL(mallopt(M_ARENA_MAX, 4), 1);
        break;
    }
}

static void write_info(void)
{
    FILE *file = fopen("/dev/null", "w");
    if (file != NULL) { // else refused, as blocks are
        (void)malloc_info(0, file);
        (void)fclose(file);
    }
}

static void ask_rarely(struct table *table, struct known *block, uint64_t random)
{
    table->operations++;
    switch (random % 128) {
    case 0:
        (void)malloc_trim(random / 128 % 2 * MIB);
        break;
    case 1:
        tune(random / 128);
        break;
    case 2:
        (void)mallinfo2();
        break;
    case 3:
        write_info();
        break;
    case 4:
        if (g_optional.purge != NULL) {
            (void)g_optional.purge();
        }
        break;
    default:
        if (g_optional.owns != NULL && block->at != NULL) {
            REQUIRE_EQUAL(g_optional.owns(block->at), 1);
        }
        ask_the_impossible(table, block);
        break;
    }
}

void model_run(struct table *table, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t random = model_random(&table->random);
        struct known *block = &table->blocks[random % SLOTS_PER_TABLE];
        random >>= 16;
        if (random % RARE == 0) {
            ask_rarely(table, block, random / RARE);
        } else if (block->at == NULL) {
            allocate(table, block);
        } else if (random % 8 == 1) {
            resize(table, block);
        } else if (random % 16 == 2) {
            hand_over(table, block);
        } else {
            release(table, block);
        }
    }
}

// ---- the audit ----

void model_verify(struct table *table)
{
    for (size_t i = 0; i < SLOTS_PER_TABLE; i++) {
        if (table->blocks[i].at != NULL) {
            verify(table, &table->blocks[i]);
        }
    }
}

static int by_address(const void *a, const void *b)
{
    const unsigned char *one = (*(const struct known *const *)a)->at;
    const unsigned char *other = (*(const struct known *const *)b)->at;
    return (one > other) - (one < other);
}

static void require_apart(const struct known **blocks, size_t count)
{
    qsort(blocks, count, sizeof *blocks, by_address);
    for (size_t i = 1; i < count; i++) {
        const unsigned char *before = blocks[i - 1]->at;
        REQUIRE(before + malloc_usable_size(opaque((void *)(uintptr_t)before)) <= blocks[i]->at);
        REQUIRE(before + blocks[i - 1]->bytes <= blocks[i]->at);
    }
}

size_t model_audit(struct table *tables, size_t count)
{
    static const struct known *found[64 * SLOTS_PER_TABLE];
    size_t found_count = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < count * SLOTS_PER_TABLE + SHARED_SLOTS; i++) {
        size_t left = i - count * SLOTS_PER_TABLE;
        const struct known *block = i < count * SLOTS_PER_TABLE
                                        ? &tables[i / SLOTS_PER_TABLE].blocks[i % SLOTS_PER_TABLE]
                                        : &g_shared.slots[left].block;
        if (block->at != NULL) {
            verify(&tables[0], block);
            bytes += block->bytes;
            found[found_count++] = block;
        }
    }
    require_apart(found, found_count);
    struct myalloc_stats stats;
    if (g_optional.stats != NULL) {
        REQUIRE_EQUAL(g_optional.stats(&stats, sizeof stats), 0);
        REQUIRE(stats.live + stats.huge >= bytes);
    }
    return bytes;
}
