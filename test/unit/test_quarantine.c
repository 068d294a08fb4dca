/* test_quarantine.c - what the quarantine of large blocks holds back, for how long, and what it
 * returns. */
#include "hardened/quarantine.h"
#include "base/os.h"
#include "base/os_call.h"
#include "pages/huge.h"
#include "pages/page_heap.h"
#include "pages/page_map.h"
#include "pages/protect.h"
#include "pages/span.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#define MIB ((size_t)1 << 20)

static void start(void)
{
    cr_assert(span_start(true));
    quarantine_start(false);
}

/* A freed block: a span without a head, as guarded.c leaves it. */
static struct quarantined freed_span(size_t bytes)
{
    bool clean = false;
    size_t index = page_heap_allocate(bytes >> CHUNK_SHIFT, 1, &clean);
    cr_assert_neq(index, 0);
    struct chunk *head = page_map_entry(index);
    cr_assert(protect_reserve(QUARANTINE_ROWS));
    head->guard = (uint8_t)protect_kind();
    head->length = (uint32_t)(bytes >> CHUNK_SHIFT);
    head->usable_bytes = bytes - 2 * os_page_bytes();
    page_map_mark_body(head, head->length);
    head->head_distance = 0;
    chunk_set_state(head, CHUNK_BODY);
    return (struct quarantined){page_map_address(index), bytes, 0, false, false};
}

static char *put(size_t bytes)
{
    struct quarantined freed = freed_span(bytes);
    cr_assert(quarantine_put(freed, NULL));
    return freed.start;
}

static size_t used_bytes(void)
{
    return span_stats().used_chunks << CHUNK_SHIFT;
}

/* QUARANTINE-1: a block that is reused at once gives a dangling pointer a new owner. */
Test(quarantine, the_two_newest_are_held_back, .init = start)
{
    char *first = put(CHUNK_BYTES);
    char *second = put(CHUNK_BYTES);
    cr_assert_null(quarantine_take(CHUNK_BYTES, false).start);
    char *third = put(CHUNK_BYTES);
    struct quarantined taken = quarantine_take(CHUNK_BYTES, false);
    cr_assert_eq(taken.start, first); // the oldest
    cr_assert_not(quarantine_has(first));
    cr_assert(quarantine_has(second));
    cr_assert(quarantine_has(third));
    cr_assert_null(quarantine_take(CHUNK_BYTES, false).start);
}

/* A much longer one would be wasted. */
Test(quarantine, what_is_up_to_a_quarter_longer_fits, .init = start)
{
    char *four = put(4 * CHUNK_BYTES);
    char *six = put(6 * CHUNK_BYTES);
    char *five = put(5 * CHUNK_BYTES);
    put(CHUNK_BYTES);
    put(CHUNK_BYTES);
    cr_assert_null(quarantine_take(4 * CHUNK_BYTES, true).start); // none of them is huge
    cr_assert_eq(quarantine_take(4 * CHUNK_BYTES, false).start, four);
    cr_assert_eq(quarantine_take(4 * CHUNK_BYTES, false).start, five);
    cr_assert_null(quarantine_take(4 * CHUNK_BYTES, false).start);
    cr_assert_null(quarantine_take(7 * CHUNK_BYTES, false).start);
    cr_assert_eq(quarantine_take(6 * CHUNK_BYTES, false).start, six);
}

/* Of 200 blocks, the newest `most` are there, and no others. */
static void expect_newest(size_t bytes, int most)
{
    enum { BLOCKS = 200 };
    char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = put(bytes);
    }
    for (int i = BLOCKS - most; i < BLOCKS; i++) {
        cr_assert(quarantine_has(blocks[i]), "%d", i);
    }
    cr_assert_eq(used_bytes(), (size_t)most * bytes);
    cr_assert_eq(quarantine_trim(NULL), (size_t)most * bytes);
    span_check();
}

Test(quarantine, holds_at_most_128, .init = start)
{
    expect_newest(CHUNK_BYTES, 128);
}

/* Of a small heap: 4 MiB. */
Test(quarantine, holds_at_most_so_many_bytes, .init = start)
{
    expect_newest(MIB, 4);
}

/* QUARANTINE-1: two long ones exceed the limit, and stay. */
Test(quarantine, the_newest_stay_whatever_their_size, .init = start)
{
    char *first = put(8 * MIB);
    char *second = put(8 * MIB);
    cr_assert(quarantine_has(first));
    char *third = put(8 * MIB);
    cr_assert_not(quarantine_has(first));
    cr_assert(quarantine_has(second));
    cr_assert(quarantine_has(third));
}

/* They hold no memory. */
Test(quarantine, purged_blocks_do_not_count, .init = start)
{
    char *blocks[5];
    for (int i = 0; i < 5; i++) {
        blocks[i] = put(33 * MIB);
    }
    for (int i = 0; i < 5; i++) {
        cr_assert(quarantine_has(blocks[i]));
    }
    cr_assert(quarantine_take(33 * MIB, false).is_purged);
}

Test(quarantine, a_trim_releases_all, .init = start)
{
    for (int i = 0; i < 10; i++) {
        put(3 * CHUNK_BYTES);
    }
    cr_assert_eq(quarantine_trim(NULL), 30 * CHUNK_BYTES);
    cr_assert_eq(used_bytes(), 0);
    cr_assert_eq(quarantine_trim(NULL), 0);
    span_check();
}

/* QUARANTINE-1 */
Test(quarantine, a_block_in_it_cannot_be_written, .init = start, .signal = SIGSEGV)
{
    char *block = put(4 * CHUNK_BYTES);
    block[2 * CHUNK_BYTES] = 1;
}

/* QUARANTINE-2: the next owner writes to all of it. */
Test(quarantine, released_memory_is_readable, .init = start)
{
    char *block = put(4 * CHUNK_BYTES);
    quarantine_trim(NULL);
    memset(block, 1, 4 * CHUNK_BYTES);
}

static struct quarantined open_span(void)
{
    struct quarantined freed = freed_span(4 * CHUNK_BYTES);
    freed.shown = 2 * CHUNK_BYTES;
    return freed;
}

/* QUARANTINE-3 */
Test(quarantine, a_short_block_stays_readable, .init = start)
{
    struct quarantined freed = open_span();
    cr_assert(quarantine_put(freed, NULL));
    for (size_t i = 0; i < freed.shown; i++) {
        cr_assert_eq(freed.start[os_page_bytes() + i], 0);
    }
    cr_assert_eq(quarantine_trim(NULL), 4 * CHUNK_BYTES);
    cr_assert_eq(used_bytes(), 0);
}

Test(quarantine, a_write_to_a_short_block_dies_when_it_leaves, .init = start, .signal = SIGABRT)
{
    struct quarantined freed = open_span();
    cr_assert(quarantine_put(freed, NULL));
    freed.start[os_page_bytes() + freed.shown - 1] = 1;
    quarantine_trim(NULL);
}

/* QUARANTINE-4: under a limit on data, pages that were hidden may not be shown. */
Test(quarantine, what_the_kernel_refuses_to_show_is_released_later, .init = start)
{
    for (int i = 0; i < 5; i++) {
        put(4 * CHUNK_BYTES);
    }
    os_fail_after(-1);
    quarantine_trim(NULL);
    os_fail_after(0);
    cr_assert_eq(used_bytes(), 20 * CHUNK_BYTES);
    cr_assert_eq(quarantine_trim(NULL), 20 * CHUNK_BYTES);
    cr_assert_eq(used_bytes(), 0);
    span_check();
}

/* Of level 2: each is purged as it leaves. */
Test(quarantine, purges_what_it_is_told_to)
{
    cr_assert(span_start(true));
    quarantine_start(true);
    cr_assert(quarantine_purges());
    struct quarantined freed = freed_span(4 * CHUNK_BYTES);
    memset(freed.start, 1, freed.bytes);
    cr_assert(quarantine_put(freed, NULL));
    quarantine_trim(NULL);
    for (size_t i = 0; i < freed.bytes; i += 512) {
        cr_assert_eq(freed.start[i], 0);
    }
}

/* huge.h counts them as live, so the counts of a program must leave them out. */
Test(quarantine, huge_blocks_in_it_are_counted, .init = start)
{
    size_t blocks = 0;
    size_t bytes = 0;
    bool clean = false;
    char *start = huge_allocate(2 * MIB, os_page_bytes(), &clean);
    put(CHUNK_BYTES);
    put(CHUNK_BYTES);
    cr_assert(quarantine_put((struct quarantined){start, 2 * MIB, 0, false, true}, NULL));
    quarantine_count_huge(&blocks, &bytes);
    cr_assert_eq(blocks, 1);
    cr_assert_eq(bytes, 2 * MIB);
    cr_assert_eq(quarantine_trim(NULL), 2 * MIB + 2 * CHUNK_BYTES);
    cr_assert_eq(huge_usable_bytes(start), 0);
}
