/* test_harden.c - hardened mode: what a cache holds back and hands out, and what it finds in slots.
 * Each test holds one cache all the time: it may run on another CPU at each line. */
#include "hardened/harden.h"
#include "base/os_call.h"
#include "core/slot.h"
#include "core/thread.h"
#include "hardened/canary.h"
#include "hardened/hcache.h"
#include "pages/span.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

enum { SMALL = 50, MEDIUM = 5000, RING = 16 }; // slots in quarantine, of short blocks at level 1

static struct hcache *g_cache;

static void start_level(unsigned level)
{
    cr_assert(span_start(true));
    cr_assert(slot_start(SLOT_BY_THREAD));
    harden_start(level, true);
    cr_assert(thread_enter(NULL));
    g_cache = harden_acquire();
    cr_assert_not_null(g_cache);
}

static void start(void)
{
    start_level(1);
}

static struct hslab *slab_of(const void *block)
{
    return hslab_of(page_map_entry(page_map_find(block)));
}

static char *take(size_t bytes)
{
    char *block = harden_allocate(g_cache, bytes, 16);
    cr_assert_not_null(block);
    cr_assert(bytes < 16 || is_all_zero(block, align_down(bytes, 16)));
    return block;
}

static void give(char *block)
{
    harden_free(g_cache, slab_of(block), hslab_slot_of(slab_of(block), block), NULL);
}

/* A block with one wrong write, `at` bytes behind its beginning. */
static char *take_and_write(size_t bytes, ptrdiff_t at)
{
    char *block = take(bytes);
    block[at] = 1;
    return block;
}

static bool resize(char *block, size_t bytes)
{
    return harden_resize(slab_of(block), block, bytes, NULL);
}

/* A freed block that had a new owner at once would make a dangling pointer a weapon. */
Test(harden, a_freed_slot_waits_until_as_many_others_were_freed, .init = start)
{
    char *blocks[RING + 1];
    for (int i = 0; i <= RING; i++) {
        blocks[i] = take(SMALL);
    }
    for (int i = 0; i < RING; i++) {
        give(blocks[i]);
    }
    for (int i = 0; i < 500; i++) {
        cr_assert_neq(take(SMALL), blocks[0]);
    }
    give(blocks[RING]); // displaces the first
    bool is_back = false;
    for (int i = 0; i < 500; i++) {
        is_back |= take(SMALL) == blocks[0];
    }
    cr_assert(is_back);
}

Test(harden, the_higher_levels_hold_back_more)
{
    start_level(2);
    char *first = take(SMALL);
    give(first);
    for (int i = 0; i < 255; i++) {
        char *block = take(SMALL);
        cr_assert_neq(block, first);
        give(block);
    }
    bool is_back = false;
    for (int i = 0; i < 1000 && !is_back; i++) {
        char *block = take(SMALL);
        is_back = block == first;
        give(block);
    }
    cr_assert(is_back);
}

Test(harden, blocks_of_any_size_have_all_their_bytes, .init = start)
{
    for (size_t bytes = 0; bytes < g_harden.alone_bytes; bytes += 1 + bytes / 9) {
        for (size_t alignment = 16; alignment <= 1024; alignment *= 4) {
            char *block = harden_allocate(g_cache, bytes, alignment);
            size_t known = 0;
            cr_assert_not_null(block);
            cr_assert_eq((uintptr_t)block % alignment, 0);
            memset(block, 0xff, bytes);
            cr_assert_eq(harden_find(slab_of(block), block, &known), HARDEN_IN_USE);
            cr_assert_geq(known, bytes); // more where a record cannot hold all that lies behind
            give(block);
        }
    }
}

Test(harden, what_a_pointer_is_to_a_slab_is_found, .init = start)
{
    size_t bytes = 0;
    char *block = take(SMALL);
    struct hslab *slab = slab_of(block);
    cr_assert_eq(harden_find(slab, block, &bytes), HARDEN_IN_USE);
    cr_assert_eq(bytes, SMALL);
    cr_assert_eq(harden_find(slab, block + 1, &bytes), HARDEN_INTERIOR);
    cr_assert_eq(bytes, SMALL);
    give(block);
    cr_assert_eq(harden_find(slab, block, &bytes), HARDEN_FREED);
    cr_assert_eq(bytes, SMALL);
    cr_assert_eq(slab->first, 1);
    cr_assert_eq(harden_find(slab, slab->start, &bytes), HARDEN_INTERIOR); // the slot that guards
    cr_assert_eq(bytes, 0);
    char *behind = slab->start + (size_t)slab->slots * slab->slot_bytes;
    cr_assert_eq(harden_find(slab, behind, &bytes), HARDEN_INTERIOR);
}

/* HARDEN-1: secrets do not stay in free memory. */
Test(harden, a_freed_slot_is_zero, .init = start)
{
    for (size_t bytes = 1; bytes < 30000; bytes = bytes * 2 + 3) {
        char *block = take(bytes);
        size_t slot_bytes = slab_of(block)->slot_bytes;
        memset(block, 0xff, bytes);
        give(block);
        cr_assert(is_all_zero(block, slot_bytes));
    }
}

/* A block that shrinks in place would leave its old size in use. */
Test(harden, a_block_grows_in_its_slot_and_never_shrinks, .init = start)
{
    char *block = take(SMALL);
    size_t slot_bytes = slab_of(block)->slot_bytes;
    size_t bytes = 0;
    memset(block, 7, SMALL);
    cr_assert(resize(block, SMALL + 1));
    cr_assert_eq(harden_find(slab_of(block), block, &bytes), HARDEN_IN_USE);
    cr_assert_eq(bytes, SMALL + 1);
    cr_assert_eq(block[SMALL - 1], 7);
    cr_assert_eq(block[SMALL], 0);
    cr_assert_not(resize(block, SMALL));
    cr_assert(resize(block, slot_bytes - CANARY_BYTES));
    cr_assert_not(resize(block, slot_bytes - CANARY_BYTES + 1));
    give(block);
    cr_assert_not(resize(take(0), 1));
}

Test(harden, a_write_behind_a_block_dies_at_its_free, .init = start, .signal = SIGABRT)
{
    give(take_and_write(SMALL, SMALL));
}

Test(harden, a_write_behind_a_block_dies_at_its_resize, .init = start, .signal = SIGABRT)
{
    resize(take_and_write(SMALL, SMALL), SMALL + 1);
}

Test(harden, a_write_before_a_block_dies_at_its_free, .init = start, .signal = SIGABRT)
{
    give(take_and_write(SMALL, -1));
}

/* Found in the canary of the newest block, which nobody may ever free. */
Test(harden, a_write_behind_the_newest_block_dies, .init = start, .signal = SIGABRT)
{
    take_and_write(SMALL, SMALL);
    harden_check_last(g_cache);
}

/* HARDEN-3 */
Test(harden, a_write_to_the_block_freed_last_dies, .init = start, .signal = SIGABRT)
{
    char *block = take(SMALL);
    give(block);
    block[3] = 1;
    harden_check_last(g_cache);
}

Test(harden, a_write_to_a_freed_block_dies_when_it_is_used_again, .init = start, .signal = SIGABRT)
{
    char *block = take(SMALL);
    give(block);
    give(take(SMALL));
    block[3] = 1;
    for (int i = 0; i < 1000; i++) {
        give(take(SMALL));
    }
}

Test(harden, a_write_far_before_a_medium_block_dies, .init = start, .signal = SIGABRT)
{
    give(take_and_write(MEDIUM, -20));
}

static size_t used_chunks(void)
{
    return span_stats().used_chunks;
}

/* Also what waits in quarantine, and what was chosen for the next request. */
Test(harden, a_flush_returns_every_slot, .init = start)
{
    static char *blocks[2000];
    for (int i = 0; i < 2000; i++) {
        blocks[i] = take((size_t)i * 7);
    }
    cr_assert_gt(used_chunks(), 0);
    for (int i = 0; i < 2000; i++) {
        give(blocks[i]);
    }
    harden_release(g_cache);
    harden_flush();
    hslab_trim(NULL);
    cr_assert_eq(used_chunks(), 0);
    g_cache = harden_acquire();
    take(SMALL); // and goes on
}

/* Where there is no memory for a cache. */
Test(harden, a_block_is_freed_without_a_cache, .init = start)
{
    char *block = take(SMALL);
    harden_free(NULL, slab_of(block), hslab_slot_of(slab_of(block), block), NULL);
    size_t bytes = 0;
    cr_assert_eq(harden_find(slab_of(block), block, &bytes), HARDEN_FREED);
    harden_release(g_cache);
    harden_flush();
    hslab_trim(NULL);
    cr_assert_eq(used_chunks(), 0);
}

Test(harden, no_memory_is_no_block, .init = start)
{
    os_fail_after(-1);
    cr_assert_null(harden_allocate(g_cache, SMALL, 16));
    os_fail_after(0);
    give(take(SMALL));
}

/* A block was freed by another cache, and its span became a slab of another class: at its address
 * is no slot now. */
Test(harden, the_newest_block_may_be_gone, .init = start)
{
    enum { OTHER = 0, BLOCKS = 1000, FROM = 17 * 1024, TO = 27 * 1024 }; // behind 1,024 slots
    static char *blocks[BLOCKS];
    unsigned count = 0;
    size_t offset = 0;
    while (offset < FROM || offset >= TO) {
        cr_assert_lt(count, BLOCKS);
        blocks[count] = take(SMALL);
        offset = (size_t)(blocks[count] - slab_of(blocks[count])->start);
        count++;
    }
    char *newest = blocks[count - 1];
    for (unsigned i = 0; i < count; i++) {
        give(blocks[i]);
    }
    harden_release(g_cache);
    harden_flush();
    hslab_trim(NULL);
    uint64_t random = 1;
    uint64_t word;
    cr_assert_eq(hslab_allocate(OTHER, &random, &word, 1), 1);
    cr_assert_geq(hslab_slot_of(slab_of(newest), newest), slab_of(newest)->slots);
    cr_assert_eq(harden_acquire(), g_cache);
    cr_assert_eq(g_cache->newest, newest);
    harden_check_last(g_cache);
    cr_assert_null(g_cache->newest);
}
