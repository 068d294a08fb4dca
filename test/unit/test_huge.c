/* test_huge.c - blocks with a mapping of their own: registry, cache, mremap. */
#include "pages/huge.h"
#include "base/bits.h"
#include "base/config.h"
#include "base/os.h"
#include "pages/huge_pages.h"
#include "pages/limit.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { MIB = 1 << 20 };

Test(huge, a_block_is_found_by_its_first_byte_only)
{
    bool clean = false;
    char *block = huge_allocate(3 * MIB, 16, &clean);
    cr_assert_not_null(block);
    cr_assert_geq(huge_usable_bytes(block), 3 * MIB);
    cr_assert_eq(huge_usable_bytes(block + 16), 0);
    cr_assert_eq(huge_holder_bytes(block + MIB), huge_usable_bytes(block));
    cr_assert(huge_free(block));
    cr_assert_eq(huge_usable_bytes(block), 0);
    cr_assert_not(huge_free(block));
}

Test(huge, blocks_are_aligned)
{
    for (size_t alignment = 16; alignment <= 16 * MIB; alignment *= 2) {
        bool clean = false;
        char *block = huge_allocate(2 * MIB, alignment, &clean);
        cr_assert_not_null(block);
        cr_assert_eq((size_t)block % alignment, 0);
        memset(block, 1, 2 * MIB);
        cr_assert(huge_free(block));
    }
}

/* calloc believes it, also of a mapping that lay in the cache. */
Test(huge, clean_blocks_are_zero)
{
    limit_set(MIB); // freed blocks stay huge
    bool clean = false;
    char *other = huge_allocate(40 * MIB, 16, &clean); // else little would be in use: no cache
    for (int round = 0; round < 20; round++) {
        clean = round % 2 == 0; // asked for
        char *block = huge_allocate(2 * MIB, 16, &clean);
        cr_assert_not_null(block);
        for (size_t i = 0; clean && i < 2 * MIB; i += 512) {
            cr_assert_eq(block[i], 0);
        }
        memset(block, 1, 2 * MIB);
        cr_assert(huge_free(block));
    }
    cr_assert_geq(huge_stats().reuses, 10);
    cr_assert(huge_free(other));
}

Test(huge, resizing_keeps_the_contents)
{
    bool clean = false;
    char *block = huge_allocate(2 * MIB, 16, &clean);
    cr_assert_not_null(block);
    memset(block, 7, 2 * MIB);
    block = huge_resize(block, 50 * MIB);
    cr_assert_not_null(block);
    cr_assert_geq(huge_usable_bytes(block), 50 * MIB);
    cr_assert_eq(block[0], 7);
    cr_assert_eq(block[2 * MIB - 1], 7);
    block = huge_resize(block, 2 * MIB);
    cr_assert_not_null(block);
    cr_assert_eq(block[2 * MIB - 1], 7);
    cr_assert(huge_free(block));
}

// Resident bytes of whole pages.
static size_t resident(char *start, size_t bytes)
{
    static unsigned char pages[64 * MIB / 4096];
    size_t page = os_page_bytes();
    size_t count = 0;
    cr_assert_leq(bytes / page, sizeof pages);
    cr_assert_eq(mincore(start, bytes, pages), 0);
    for (size_t i = 0; i < bytes / page; i++) {
        count += pages[i] & 1;
    }
    return count * page;
}

/* What a vector reserves, and never touches, is neither copied nor resident. */
Test(huge, a_block_on_huge_pages_grows_by_mremap)
{
    bool clean = false;
    huge_pages_set(HUGE_PAGES_ALWAYS);
    char *block = huge_allocate(5 * MIB, 16, &clean);
    cr_assert_not_null(block);
    for (size_t mib = 8; mib <= 40; mib += 4) {
        block = huge_resize(block, mib * MIB);
        cr_assert_not_null(block);
        char *start = (char *)align_down((uintptr_t)block, os_page_bytes());
        cr_assert_leq(resident(start, mib * MIB), 2 * MIB); // the page of its size
    }
    cr_assert(huge_free(block));
}

/* See limit.h: a count that drifts changes how all others are allocated. */
Test(huge, long_blocks_are_counted_until_they_are_freed)
{
    bool clean = false;
    for (unsigned i = 0; i < 10000; i++) {
        char *block = huge_allocate(2 * MIB, 16, &clean);
        cr_assert_not_null(block);
        if (i % 8 == 0) {
            block = huge_resize(block, 3 * MIB);
            cr_assert_not_null(block);
            cr_assert_null(huge_resize(block, SIZE_MAX / 4)); // it stays
        }
        cr_assert(huge_free(block));
        cr_assert_not(limit_has_many());
    }
}

/* HUGE-1: What a request that cannot be served takes from others, they lose for nothing. */
Test(huge, a_refusal_leaves_the_cache_alone)
{
    limit_set(MIB); // freed blocks stay huge
    bool clean = false;
    char *block = huge_allocate(4 * MIB, 16, &clean);
    char *other = huge_allocate(40 * MIB, 16, &clean);
    memset(block, 1, 4 * MIB);
    cr_assert(huge_free(block));
    cr_assert_eq(huge_stats().cached_bytes, 4 * MIB);
    cr_assert_null(huge_allocate((size_t)1 << 46, 16, &clean));
    cr_assert_null(huge_allocate((size_t)1 << 60, 16, &clean));
    cr_assert_not(huge_make_room((size_t)1 << 46));
    cr_assert_not(huge_make_room((size_t)1 << 60));
    cr_assert_eq(huge_stats().cached_bytes, 4 * MIB);
    cr_assert(huge_make_room(3 * MIB));
    cr_assert_eq(huge_stats().cached_bytes, 0);
    cr_assert(huge_free(other));
}

/* Huge pages, or small ones where zeros are wanted, which may be touched here and there only. */
Test(huge, a_block_that_is_to_be_zero_stays_out_of_memory)
{
    huge_pages_set(HUGE_PAGES_ALWAYS);
    bool clean = true;
    char *block = huge_allocate(64 * MIB, 16, &clean);
    cr_assert(clean);
    block[32 * MIB] = 1;
    unsigned char pages[16];
    char *page = block + 32 * MIB - (uintptr_t)(block + 32 * MIB) % 4096;
    cr_assert_eq(mincore(page + 4096, sizeof pages * 4096, pages), 0);
    for (unsigned i = 0; i < sizeof pages; i++) {
        cr_assert_eq(pages[i] & 1, 0);
    }
    cr_assert(huge_free(block));
}

/* The registry grows; lookups are exact all the while. */
Test(huge, a_thousand_blocks_are_all_found)
{
    enum { COUNT = 1000 };
    static char *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        bool clean = false;
        blocks[i] = huge_allocate(HUGE_BYTES_MIN + i * 4096, 16, &clean);
        cr_assert_not_null(blocks[i]);
    }
    cr_assert_eq(huge_stats().live_blocks, COUNT);
    for (size_t i = 0; i < COUNT; i += 2) {
        cr_assert(huge_free(blocks[i]));
    }
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert_eq(huge_usable_bytes(blocks[i]) != 0, i % 2 == 1);
    }
}

Test(huge, the_cache_is_bounded_and_can_be_emptied)
{
    enum { COUNT = 100 };
    static char *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        bool clean = false;
        blocks[i] = huge_allocate(4 * MIB, 16, &clean);
        cr_assert_not_null(blocks[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert(huge_free(blocks[i]));
    }
    cr_assert_leq(huge_stats().cached_bytes, HUGE_CACHE_BYTES_MIN);
    huge_release_cache();
    cr_assert_eq(huge_stats().cached_bytes, 0);
}

Test(huge, what_cannot_be_served_is_null)
{
    bool clean = false;
    cr_assert_null(huge_allocate((size_t)1 << 46, 16, &clean));
    cr_assert_null(huge_allocate(SIZE_MAX - 4096, 16, &clean));
    cr_assert_null(huge_allocate(MIB, (size_t)1 << 62, &clean));
}
