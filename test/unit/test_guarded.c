/* test_guarded.c - large and huge blocks between guard pages. */
#include "hardened/guarded.h"
#include "base/os.h"
#include "base/os_call.h"
#include "core/thread.h"
#include "hardened/canary.h"
#include "hardened/harden.h"
#include "hardened/quarantine.h"
#include "pages/limit.h"
#include "pages/span.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#define PAGE os_page_bytes()

enum { KIB = 1024, LARGE = 200 * KIB, SHORT = 60 * KIB };

static void start(void)
{
    cr_assert(span_start(true));
    harden_start(1, true);
    cr_assert(thread_enter(NULL));
}

static char *take(size_t bytes, size_t alignment)
{
    char *block = guarded_allocate(bytes, bytes, alignment, NULL);
    cr_assert_not_null(block);
    cr_assert_eq((uintptr_t)block % alignment, 0);
    return block;
}

static struct chunk *head_of(const void *block)
{
    return chunk_head(page_map_entry(page_map_find(block)));
}

static void give(char *block)
{
    cr_assert(guarded_free(head_of(block), block, NULL));
}

static size_t used_bytes(void)
{
    return span_stats().used_chunks << CHUNK_SHIFT;
}

static void check_bytes(const char *block, size_t from, size_t to, char value)
{
    for (size_t i = from; i < to; i++) {
        cr_assert_eq(block[i], value, "byte %zu", i);
    }
}

Test(guarded, blocks_are_zero_aligned_and_known, .init = start)
{
    for (size_t alignment = 16; alignment <= 128 * KIB; alignment *= 2) {
        for (size_t bytes = 2 * KIB; bytes < 300 * KIB; bytes = bytes * 3 + 17) {
            char *block = take(bytes, alignment);
            cr_assert_eq(guarded_block(head_of(block)), block);
            cr_assert_eq(head_of(block)->usable_bytes, bytes);
            check_bytes(block, 0, bytes, 0);
            memset(block, 0xff, bytes);
            give(block);
        }
    }
    quarantine_trim(NULL);
    cr_assert_eq(used_bytes(), 0);
    span_check();
}

/* GUARDED-1: nothing but whole pages has no canary. */
Test(guarded, a_write_behind_whole_pages_is_a_fault, .init = start, .signal = SIGSEGV)
{
    volatile char *block = take(4 * PAGE, 16);
    block[4 * PAGE - 1] = 1;
    block[4 * PAGE] = 1;
}

Test(guarded, a_write_before_a_block_is_a_fault, .init = start, .signal = SIGSEGV)
{
    volatile char *block = take(4 * PAGE, 16);
    block[0] = 1;
    block[-1] = 1;
}

Test(guarded, a_write_behind_a_block_dies_at_its_free, .init = start, .signal = SIGABRT)
{
    char *block = take(4 * PAGE - 100, 16);
    block[4 * PAGE - 100] = 1;
    give(block);
}

Test(guarded, a_write_behind_a_block_dies_at_its_resize, .init = start, .signal = SIGABRT)
{
    char *block = take(LARGE - 100, 16);
    block[LARGE - 100] = 1;
    guarded_resize(head_of(block), block, LARGE, NULL);
}

Test(guarded, a_freed_block_cannot_be_read, .init = start, .signal = SIGSEGV)
{
    volatile char *block = take(LARGE, 16);
    block[0] = 1;
    give((char *)(uintptr_t)block);
    block[0];
}

/* QUARANTINE-3: hiding it would cost more than clearing it. */
Test(guarded, a_short_freed_block_is_zero, .init = start)
{
    char *block = take(SHORT, 16);
    memset(block, 7, SHORT);
    give(block);
    cr_assert(quarantine_has(block - PAGE));
    check_bytes(block, 0, SHORT, 0);
}

Test(guarded, a_write_to_a_short_freed_block_dies, .init = start, .signal = SIGABRT)
{
    char *block = take(SHORT, 16);
    memset(block, 7, SHORT);
    give(block);
    block[SHORT / 2] = 1;
    quarantine_trim(NULL);
}

/* From quarantine, with what was written there and more pages than the block needs. */
Test(guarded, a_block_of_a_span_used_again_is_zero, .init = start)
{
    char *blocks[3];
    for (int round = 0; round < 8; round++) {
        size_t bytes = LARGE - (size_t)round * 3000;
        for (int i = 0; i < 3; i++) {
            blocks[i] = take(bytes, 16);
            check_bytes(blocks[i], 0, bytes, 0);
            memset(blocks[i], 0xff, bytes);
        }
        for (int i = 0; i < 3; i++) {
            give(blocks[i]);
        }
    }
    cr_assert_leq(used_bytes(), (size_t)6 * 2 * LARGE); // they were used again
}

/* A program that grows its buffer by small steps is not copied each time. */
Test(guarded, grows_in_its_span, .init = start)
{
    size_t bytes = SHORT;
    char *block = guarded_allocate(bytes, SHORT + SHORT / 2, 16, NULL);
    memset(block, 7, bytes);
    for (size_t more = bytes + 1000; more < SHORT + SHORT / 2; more += 1000) {
        cr_assert_eq(guarded_resize(head_of(block), block, more, NULL), block);
        cr_assert_eq(head_of(block)->usable_bytes, more);
        check_bytes(block, 0, bytes, 7);
        check_bytes(block, bytes, more, 0);
    }
    give(block);
}

Test(guarded, grows_into_free_chunks_behind_it, .init = start)
{
    char *block = take(LARGE, 16);
    uint32_t length = head_of(block)->length;
    memset(block, 7, LARGE);
    cr_assert_eq(guarded_resize(head_of(block), block, 2 * LARGE, NULL), block);
    cr_assert_gt(head_of(block)->length, length);
    check_bytes(block, 0, LARGE, 7);
    check_bytes(block, LARGE, 2 * LARGE, 0);
    cr_assert_eq(chunk_head(page_map_entry(page_map_find(block + 2 * LARGE))), head_of(block));
    give(block);
    quarantine_trim(NULL);
    cr_assert_eq(used_bytes(), 0);
}

Test(guarded, what_grew_ends_at_a_guard, .init = start, .signal = SIGSEGV)
{
    volatile char *block = take(LARGE, 16);
    struct chunk *head = head_of((const char *)(uintptr_t)block);
    cr_assert_not_null(guarded_resize(head, (char *)(uintptr_t)block, 2 * LARGE, NULL));
    block[2 * LARGE - 1] = 1;
    block[((size_t)head->length << CHUNK_SHIFT) - PAGE - 1] = 1;
}

Test(guarded, moves_where_no_room_is_behind_it, .init = start)
{
    char *block = take(LARGE, 16);
    bool clean = false;
    size_t behind = page_map_index(head_of(block)) + head_of(block)->length;
    cr_assert_eq(span_allocate(1, 1, false, &clean), behind);
    memset(block, 7, LARGE);
    cr_assert_null(guarded_resize(head_of(block), block, 2 * LARGE, NULL));
    check_bytes(block, 0, LARGE, 7);
    give(block);
}

Test(guarded, shrinks_to_half_in_place_and_then_moves, .init = start)
{
    char *block = take(LARGE, 16);
    memset(block, 7, LARGE);
    size_t bytes = LARGE * 3 / 4 - 5;
    cr_assert_eq(guarded_resize(head_of(block), block, bytes, NULL), block);
    cr_assert_eq(head_of(block)->usable_bytes, bytes);
    check_bytes(block, 0, bytes, 7);
    cr_assert_null(guarded_resize(head_of(block), block, LARGE / 4, NULL));
    cr_assert_eq(head_of(block)->usable_bytes, bytes);
    give(block);
}

Test(guarded, what_a_shrunk_block_gave_up_is_a_fault, .init = start, .signal = SIGSEGV)
{
    volatile char *block = take(40 * PAGE, 16);
    struct chunk *head = head_of((const char *)(uintptr_t)block);
    cr_assert_not_null(guarded_resize(head, (char *)(uintptr_t)block, 30 * PAGE, NULL));
    block[30 * PAGE - 1] = 1;
    block[30 * PAGE] = 1;
}

/* The kernel refuses to show more: the block is what it was. */
Test(guarded, a_growth_that_is_refused_changes_nothing, .init = start)
{
    char *block = guarded_allocate(SHORT, 2 * SHORT, 16, NULL);
    memset(block, 7, SHORT);
    os_fail_after(-1);
    cr_assert_null(guarded_resize(head_of(block), block, 2 * SHORT, NULL));
    os_fail_after(0);
    cr_assert_eq(head_of(block)->usable_bytes, SHORT);
    check_bytes(block, 0, SHORT, 7);
    give(block);
}

Test(guarded, no_memory_is_no_block, .init = start)
{
    os_fail_after(-1);
    cr_assert_null(guarded_allocate(64 * 1024 * KIB, 0, 16, NULL));
    os_fail_after(0);
    give(take(LARGE, 16));
}

// ---- huge ----

static char *take_huge(size_t bytes)
{
    bool is_freed = true;
    char *block = take(bytes, 16);
    cr_assert_null(head_of(block)->record);
    size_t known = guarded_huge_bytes(block, &is_freed);
    cr_assert_not(is_freed);
    cr_assert_geq(known, bytes);
    cr_assert_lt(known - bytes, 2 * PAGE);
    return block;
}

Test(guarded, a_huge_block_is_freed_once, .init = start)
{
    bool is_freed = false;
    size_t bytes = limit_bytes() + 5;
    char *block = take_huge(bytes);
    memset(block, 7, bytes);
    cr_assert_eq(guarded_huge_bytes(block + PAGE, &is_freed), 0);
    cr_assert(guarded_free(NULL, block, NULL));
    cr_assert_geq(guarded_huge_bytes(block, &is_freed), bytes);
    cr_assert(is_freed);
    cr_assert_not(guarded_free(NULL, block, NULL));
    quarantine_trim(NULL);
    cr_assert_eq(guarded_huge_bytes(block, &is_freed), 0);
}

Test(guarded, a_write_behind_a_huge_block_is_a_fault, .init = start, .signal = SIGSEGV)
{
    size_t bytes = align_up(limit_bytes(), PAGE);
    volatile char *block = take_huge(bytes);
    block[0] = 1;
    block[bytes - 1] = 1;
    block[bytes] = 1;
}

Test(guarded, a_huge_block_keeps_its_contents_as_it_grows, .init = start)
{
    size_t bytes = align_up(limit_bytes(), PAGE);
    char *block = take_huge(bytes);
    memset(block, 7, bytes);
    block = guarded_resize(NULL, block, 3 * bytes, NULL);
    cr_assert_not_null(block);
    check_bytes(block, 0, bytes, 7);
    check_bytes(block, bytes, 3 * bytes, 0);
    cr_assert_null(guarded_resize(NULL, block, LARGE, NULL)); // no longer huge
    cr_assert(guarded_free(NULL, block, NULL));
}

Test(guarded, a_huge_block_of_a_mapping_used_again_is_zero, .init = start)
{
    size_t bytes = limit_bytes();
    char *first = NULL;
    for (int round = 0; round < 4; round++) {
        char *block = take_huge(bytes);
        check_bytes(block, 0, bytes, 0);
        memset(block, 0xff, bytes);
        first = round == 0 ? block : first;
        cr_assert((block == first) == (round == 0 || round == 3)); // the two newest wait
        cr_assert(guarded_free(NULL, block, NULL));
    }
}

/* A page of a mapping that the kernel refuses to show is all that is left of the block: a second
 * free must not take it for one, nor its size wrap below 0. */
Test(guarded, what_is_left_of_a_refused_mapping_is_no_block, .init = start)
{
    bool is_freed = false;
    size_t bytes = limit_bytes();
    char *block = take_huge(bytes);
    cr_assert(guarded_free(NULL, block, NULL));
    os_fail_after(-1);
    quarantine_trim(NULL);
    os_fail_after(0);
    cr_assert_eq(huge_usable_bytes(block - PAGE), PAGE);
    cr_assert_eq(guarded_huge_bytes(block, &is_freed), 0);
    cr_assert_not(guarded_free(NULL, block, NULL));
    struct huge_view view = {.start = block - PAGE, .bytes = PAGE};
    guarded_see_huge(&view);
    cr_assert_eq(view.bytes, 0);
    cr_assert_eq(guarded_huge_bytes_of(PAGE), 0);
}
