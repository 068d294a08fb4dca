/* mallopt.c - mallopt(3). */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "support/affinity.h"
#include "support/blocks.h"
#include "support/harness.h"
#include "support/process.h"

TEST(mallopt_accepts_the_documented_parameters)
{
    REQUIRE_EQUAL(mallopt(M_MMAP_THRESHOLD, 256 * 1024), 1);
    REQUIRE_EQUAL(mallopt(M_TRIM_THRESHOLD, 1 << 20), 1);
    REQUIRE_EQUAL(mallopt(M_TOP_PAD, 64 * 1024), 1);
    REQUIRE_EQUAL(mallopt(M_ARENA_MAX, 1), 1);
    REQUIRE_EQUAL(mallopt(M_ARENA_TEST, 2), 1);
    REQUIRE_EQUAL(mallopt(M_MMAP_MAX, 65536), 1);
    REQUIRE_EQUAL(mallopt(M_MXFAST, 64), 1);
    REQUIRE_EQUAL(mallopt(M_CHECK_ACTION, 3), 1);
    REQUIRE_EQUAL(mallopt(M_PERTURB, 0), 1);
}

TEST(mallopt_mmap_threshold_sends_smaller_blocks_to_mmap)
{
    REQUIRE_EQUAL(mallopt(M_MMAP_THRESHOLD, 64 * 1024), 1);
    struct mallinfo2 before = mallinfo2();
    void *block = malloc(300 * KIB);
    REQUIRE(block != NULL);
    struct mallinfo2 after = mallinfo2();
    REQUIRE_EQUAL(after.hblks, before.hblks + 1);
    REQUIRE(after.hblkhd >= before.hblkhd + 300 * KIB);
    free(block);
    REQUIRE_EQUAL(mallinfo2().hblks, before.hblks);
}

TEST(mallopt_mmap_threshold_keeps_smaller_blocks_in_the_heap)
{
    REQUIRE_EQUAL(mallopt(M_MMAP_THRESHOLD, 8 << 20), 1);
    struct mallinfo2 before = mallinfo2();
    void *block = malloc(600 * KIB);
    REQUIRE(block != NULL);
    REQUIRE_EQUAL(mallinfo2().hblks, before.hblks);
    free(block);
}

TEST(the_mmap_threshold_rises_above_a_block_that_was_freed)
{
    free(malloc(3 << 20));
    struct mallinfo2 before = mallinfo2();
    void *block = malloc(3 << 20);
    REQUIRE(block != NULL);
    REQUIRE_EQUAL(mallinfo2().hblks, before.hblks);
    void *larger = malloc(5 << 20);
    REQUIRE(larger != NULL);
    REQUIRE_EQUAL(mallinfo2().hblks, before.hblks + 1);
    free(larger);
    free(block);
}

TEST(a_threshold_that_was_set_does_not_rise)
{
    REQUIRE_EQUAL(mallopt(M_MMAP_THRESHOLD, 2 << 20), 1);
    free(malloc(3 << 20));
    struct mallinfo2 before = mallinfo2();
    void *block = malloc(3 << 20);
    REQUIRE(block != NULL);
    REQUIRE_EQUAL(mallinfo2().hblks, before.hblks + 1);
    free(block);
}

TEST(mallopt_mmap_max_0_keeps_every_block_in_the_heap)
{
    REQUIRE_EQUAL(mallopt(M_MMAP_MAX, 0), 1);
    const size_t sizes[] = {600 * KIB, 2 * MIB, 5 * MIB, 40 * MIB, 100 * MIB};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        void *block = malloc(sizes[i]);
        REQUIRE(block != NULL);
        REQUIRE_EQUAL(mallinfo2().hblks, 0);
        block = realloc(block, sizes[i] + 10 * MIB);
        REQUIRE(block != NULL);
        REQUIRE_EQUAL(mallinfo2().hblks, 0);
        free(block);
    }
}

TEST(mallopt_mmap_max_is_how_many_mappings_there_are_at_a_time)
{
    REQUIRE_EQUAL(mallopt(M_MMAP_MAX, 2), 1);
    REQUIRE_EQUAL(mallopt(M_MMAP_THRESHOLD, 256 * KIB), 1);
    void *blocks[3];
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = malloc(600 * KIB);
        REQUIRE(blocks[i] != NULL);
    }
    REQUIRE_EQUAL(mallinfo2().hblks, 2);
    free(blocks[0]);
    REQUIRE_EQUAL(mallinfo2().hblks, 1);
    blocks[0] = malloc(50 * MIB);
    REQUIRE_EQUAL(mallinfo2().hblks, 2);
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        free(blocks[i]);
    }
}

TEST(a_mmap_threshold_above_32_mib_is_kept)
{
    if (mallopt(M_MMAP_THRESHOLD, 64 << 20) == 0) { // glibc before 2.35
        return;
    }
    struct mallinfo2 before = mallinfo2();
    void *block = malloc(50 * MIB);
    void *larger = malloc(70 * MIB);
    REQUIRE(block != NULL && larger != NULL);
    REQUIRE_EQUAL(mallinfo2().hblks, before.hblks + 1);
    free(larger);
    free(block);
}

static long page_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

/* What a real-time program does in its loop: blocks of all sizes to 60,000 bytes and one of 5 MiB,
 * written to. */
static void work_within_reserve(void)
{
    static char *blocks[1000];
    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            size_t bytes = 1 + (i * 7919 + round) % 60000;
            blocks[i] = malloc(bytes);
            REQUIRE(blocks[i] != NULL);
            memset(blocks[i], 1, bytes);
        }
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            free(blocks[i]);
        }
        char *large = malloc(5 * MIB);
        REQUIRE(large != NULL);
        memset(large, 1, 5 * MIB);
        free(large);
    }
}

/* The recipe of real-time programs: a reserve that was touched and freed serves without faults. */
static void require_no_faults_after_reserve(void)
{
    char *reserve = malloc(100 * MIB);
    REQUIRE(reserve != NULL);
    memset(reserve, 1, 100 * MIB);
    free(reserve);
    long before = page_faults();
    work_within_reserve();
    REQUIRE(page_faults() - before < 100);
}

TEST(a_reserve_that_was_freed_serves_without_page_faults)
{
    REQUIRE_EQUAL(mallopt(M_MMAP_MAX, 0), 1);
    REQUIRE_EQUAL(mallopt(M_TRIM_THRESHOLD, -1), 1);
    require_no_faults_after_reserve();
}

TEST(a_locked_reserve_that_was_freed_serves_without_page_faults)
{
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0 || mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        return;
    }
    REQUIRE_EQUAL(mallopt(M_TRIM_THRESHOLD, -1), 1);
    REQUIRE_EQUAL(mallopt(M_MMAP_MAX, 0), 1);
    require_no_faults_after_reserve();
}

TEST(a_trim_threshold_above_the_reserve_keeps_it_too)
{
    REQUIRE_EQUAL(mallopt(M_MMAP_MAX, 0), 1);
    REQUIRE_EQUAL(mallopt(M_TRIM_THRESHOLD, 256 << 20), 1);
    require_no_faults_after_reserve();
}

TEST(a_top_pad_above_the_reserve_keeps_it_too)
{
    REQUIRE_EQUAL(mallopt(M_MMAP_MAX, 0), 1);
    REQUIRE_EQUAL(mallopt(M_TOP_PAD, 256 << 20), 1);
    require_no_faults_after_reserve();
}

TEST(mallopt_top_pad_is_what_the_break_moves_by_beyond_the_need)
{
    REQUIRE_EQUAL(mallopt(M_TOP_PAD, 48 << 20), 1);
    size_t heap_before = process_heap_bytes();
    for (size_t i = 0; i < 100; i++) {
        REQUIRE(malloc(10000) != NULL);
    }
    REQUIRE(!harness_uses_break() || process_heap_bytes() >= heap_before + 48 * MIB);
}

/* MALLOPT-1 */
TEST(what_cannot_be_done_is_refused)
{
    ONLY_LIBRARY();
    REQUIRE_EQUAL(mallopt(M_TOP_PAD, -1), 0);
    REQUIRE_EQUAL(mallopt(M_MXFAST, 161), 0);
    REQUIRE_EQUAL(mallopt(M_MXFAST, -1), 0);
    REQUIRE_EQUAL(mallopt(2 /* M_NLBLKS */, 100), 0);
    REQUIRE_EQUAL(mallopt(3 /* M_GRAIN */, 16), 0);
    REQUIRE_EQUAL(mallopt(4 /* M_KEEP */, 1), 0);
}

TEST(mallopt_perturb_fills_fresh_blocks_but_not_those_of_calloc)
{
    REQUIRE_EQUAL(mallopt(M_PERTURB, 0x55), 1);
    const size_t sizes[] = {24, 200, 1000, 5000, 20000, 100000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *block = malloc(sizes[i]);
        REQUIRE(block != NULL);
        for (size_t at = 0; at < sizes[i]; at++) {
            REQUIRE_EQUAL(block[at], 0xAA);
        }
        void *zeroed = calloc(1, sizes[i]);
        REQUIRE(zeroed != NULL);
        REQUIRE(block_is_zero(zeroed, sizes[i]));
        free(zeroed);
        free(block);
    }
}

TEST(mallopt_perturb_overwrites_freed_blocks)
{
    REQUIRE_EQUAL(mallopt(M_PERTURB, 0x55), 1);
    volatile unsigned char *block = malloc(20000);
    void *guard = malloc(20000);
    REQUIRE(block != NULL && guard != NULL);
    memset(opaque((void *)(unsigned long)block), 1, 20000);
    free(opaque((void *)(unsigned long)block));
    REQUIRE_EQUAL(block[10000], 0x55);
    free(guard);
}

/* Frees 64 MiB of live heap; returns by how much the kernel's heap mapping stays larger. */
static size_t heap_after_release(void)
{
    enum { COUNT = 512, BYTES = 128 * 1024 };
    void *blocks[COUNT];
    // With cpu_cache:cpu, a block in the slot of a CPU that was left may be the last of the heap.
    REQUIRE(stay_on_this_cpu());
    size_t heap_before = process_heap_bytes();
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = malloc(BYTES);
        REQUIRE(blocks[i] != NULL);
        memset(blocks[i], 1, BYTES);
    }
    for (size_t i = 0; i < COUNT; i++) {
        free(blocks[i]);
    }
    size_t heap = process_heap_bytes();
    return heap > heap_before ? heap - heap_before : 0;
}

TEST(mallopt_trim_threshold_keeps_the_top_of_the_heap)
{
    REQUIRE_EQUAL(mallopt(M_MMAP_THRESHOLD, 8 << 20), 1);
    REQUIRE_EQUAL(mallopt(M_TRIM_THRESHOLD, 256 << 20), 1);
    REQUIRE(!harness_uses_break() || heap_after_release() > 32 * MIB);
}

TEST(an_unknown_parameter_is_refused)
{
    ONLY_LIBRARY();
    REQUIRE_EQUAL(mallopt(-4711, 1), 0);
}

TEST(a_small_trim_threshold_gives_the_top_of_the_heap_back)
{
    REQUIRE_EQUAL(mallopt(M_MMAP_THRESHOLD, 8 << 20), 1);
    REQUIRE_EQUAL(mallopt(M_TRIM_THRESHOLD, 256 << 10), 1);
    REQUIRE(heap_after_release() < 4 * MIB);
}
