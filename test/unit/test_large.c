/* test_large.c - blocks that are spans of their own. */
#include "core/large.h"
#include "base/os.h"
#include "pages/limit.h"
#include "pages/page_heap.h"
#include "pages/span.h"

#include <criterion/criterion.h>
#include <string.h>

#define KIB ((size_t)1024)

static void start(void)
{
    cr_assert(span_start(true));
}

static struct chunk *head_of(const void *block)
{
    return page_map_entry(page_map_find(block));
}

static char *take(size_t bytes)
{
    bool clean = false;
    char *block = large_allocate(bytes, 16, &clean);
    cr_assert_not_null(block);
    cr_assert_geq(head_of(block)->usable_bytes, bytes);
    for (size_t i = 0; clean && i < bytes; i += 64) {
        cr_assert_eq(block[i], 0);
    }
    memset(block, 7, head_of(block)->usable_bytes);
    span_check();
    return block;
}

/* Bytes beyond the span are a neighbour's; less than a page unused is what the kernel gives. */
Test(large, usable_bytes_are_whole_pages_inside_of_the_span, .init = start)
{
    for (size_t bytes = 32 * KIB + 1; bytes < 300 * KIB; bytes += 4099) {
        char *block = take(bytes);
        const struct chunk *head = head_of(block);
        cr_assert_eq(chunk_state(head), CHUNK_LARGE);
        cr_assert_leq(head->usable_bytes, (size_t)head->length << CHUNK_SHIFT);
        cr_assert_lt(head->usable_bytes - bytes, os_page_bytes());
        cr_assert_lt(((size_t)head->length << CHUNK_SHIFT) - bytes, CHUNK_BYTES);
        cr_assert_eq(page_map_bin(page_map_find(block)), 0);
    }
}

/* Any address inside must lead to the block: for messages, and for the walk. */
Test(large, every_chunk_of_a_block_knows_its_head, .init = start)
{
    char *block = take(200 * KIB);
    for (size_t at = 0; at < 200 * KIB; at += 1000) {
        cr_assert_eq(chunk_head(head_of(block + at)), head_of(block));
    }
}

Test(large, aligned_blocks_begin_at_a_multiple, .init = start)
{
    for (size_t alignment = 16; alignment <= 1024 * KIB; alignment *= 2) {
        bool clean;
        char *block = large_allocate(40 * KIB, alignment, &clean);
        cr_assert_not_null(block);
        cr_assert_eq((uintptr_t)block % alignment, 0);
        memset(block, 7, 40 * KIB);
    }
    span_check();
}

/* A second free meets a block that is none, and can be told. */
Test(large, a_freed_block_is_no_large_block_any_more, .init = start)
{
    char *block = take(100 * KIB);
    size_t used = span_stats().used_chunks;
    large_free(head_of(block));
    cr_assert_neq(chunk_state(head_of(block)), CHUNK_LARGE);
    page_heap_free_waiting();
    cr_assert_neq(chunk_state(head_of(block)), CHUNK_LARGE);
    cr_assert_eq(span_stats().used_chunks, used - 7);
    span_check();
}

/* calloc believes it: what was used before is not zero. */
Test(large, memory_that_was_used_is_not_called_clean, .init = start)
{
    for (unsigned i = 0; i < 100; i++) {
        char *block = take(50 * KIB + i * 999);
        large_free(head_of(block));
    }
}

/* realloc's cheapest way: with free memory behind it nothing is copied. */
Test(large, a_block_grows_into_the_free_memory_behind_it, .init = start)
{
    char *block = take(64 * KIB);
    char *behind = take(128 * KIB);
    take(40 * KIB); // the end is taken
    large_free(head_of(behind));
    page_heap_free_waiting();
    cr_assert(large_resize(head_of(block), 192 * KIB));
    cr_assert_geq(head_of(block)->usable_bytes, 192 * KIB);
    cr_assert_eq(chunk_head(head_of(block + 191 * KIB)), head_of(block));
    cr_assert_eq(block[0], 7);
    cr_assert_eq(block[64 * KIB - 1], 7);
    memset(block, 8, 192 * KIB);
    span_check();
}

/* What is behind it has an owner; and nothing may have changed for the caller who moves it now. */
Test(large, a_block_before_a_live_one_does_not_grow, .init = start)
{
    char *block = take(64 * KIB);
    char *behind = take(64 * KIB);
    cr_assert_eq(behind, block + 64 * KIB);
    cr_assert_not(large_resize(head_of(block), 64 * KIB + 1));
    cr_assert_eq(head_of(block)->usable_bytes, 64 * KIB);
    cr_assert_eq(head_of(block)->length, 4);
    cr_assert_eq(chunk_state(head_of(behind)), CHUNK_LARGE);
    cr_assert_eq(behind[0], 7);
}

/* A vector that shrinks by a little will grow again; one that shrinks by much gives the rest back.
 */
Test(large, a_block_that_shrinks_keeps_a_quarter_at_most, .init = start)
{
    char *block = take(256 * KIB);
    size_t used = span_stats().used_chunks;
    cr_assert(large_resize(head_of(block), 200 * KIB));
    cr_assert_eq(span_stats().used_chunks, used);
    cr_assert_eq(head_of(block)->usable_bytes, align_up(200 * KIB, os_page_bytes()));
    cr_assert(large_resize(head_of(block), 100 * KIB));
    cr_assert_eq(span_stats().used_chunks, used - 16 + 7);
    cr_assert_eq(head_of(block)->length, 7);
    cr_assert_neq(chunk_state(head_of(block + 112 * KIB)), CHUNK_BODY);
    cr_assert_eq(block[100 * KIB - 1], 7);
    span_check();
}

/* Of every length: the rest of a long block must be found again, and go back. */
Test(large, the_rest_of_a_block_that_shrank_is_free_whatever_its_length, .init = start)
{
    for (size_t bytes = 512 * KIB; bytes <= 64 * KIB * KIB; bytes *= 2) {
        size_t used = span_stats().used_chunks;
        char *block = take(bytes);
        cr_assert(large_resize(head_of(block), bytes / 4));
        cr_assert_eq(span_stats().used_chunks, used + (bytes / 4 >> CHUNK_SHIFT));
        char *next = take(bytes / 2);
        cr_assert_eq(next, block + bytes / 4);
        large_free(head_of(next));
        large_free(head_of(block));
        page_heap_free_waiting();
        cr_assert_eq(span_stats().used_chunks, used);
        span_check();
    }
}

/* What a growing realloc has moved once it should not move at each step. */
Test(large, a_block_with_room_grows_in_place, .init = start)
{
    char *block = large_allocate_growing(64 * KIB, 80 * KIB);
    cr_assert_not_null(block);
    take(40 * KIB);
    cr_assert_eq(head_of(block)->usable_bytes, 64 * KIB);
    cr_assert(large_resize(head_of(block), 80 * KIB));
    cr_assert_eq(head_of(block)->usable_bytes, 80 * KIB);
    span_check();
}

/* Were one of these not counted again, a program that runs for long would have many in the end; see
 * limit.h. */
Test(large, long_blocks_are_counted_until_they_are_short_or_freed, .init = start)
{
    bool clean = false;
    for (unsigned i = 0; i < 10000; i++) {
        bool is_short = i % 2 == 0;
        struct chunk *head = head_of(large_allocate(is_short ? 600 * KIB : 3000 * KIB, 16, &clean));
        cr_assert(!is_short || large_resize(head, 3000 * KIB));
        cr_assert(large_resize(head, 2900 * KIB));
        cr_assert(i % 3 == 0 || large_resize(head, 600 * KIB));
        large_free(head);
        cr_assert_not(limit_has_many());
    }
}

Test(large, without_memory_there_is_no_block, .init = start)
{
    bool clean;
    cr_assert_null(large_allocate((size_t)1 << 46, 16, &clean));
    span_check();
}
