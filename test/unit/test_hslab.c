/* test_hslab.c - hardened slabs: slots, their records, and when slabs are released. */
#include "hardened/hslab.h"
#include "base/os_call.h"
#include "hardened/canary.h"
#include "pages/span.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

enum { CLASS = 3, SLOTS = 4000 };

static uint64_t g_random = 88172645463325252UL;
static uint64_t g_words[SLOTS];

static void start(void)
{
    cr_assert(span_start(true));
    hslab_start();
}

/* As many slots as asked for, some at a time. */
static void take(unsigned sc, unsigned count)
{
    for (unsigned i = 0; i < count;) {
        unsigned some = hslab_allocate(sc, &g_random, g_words + i, count - i < 7 ? count - i : 7);
        cr_assert_neq(some, 0);
        i += some;
    }
}

static size_t used_chunks(void)
{
    return span_stats().used_chunks;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a & ~(0xffffUL << 48);
    uint64_t y = *(const uint64_t *)b & ~(0xffffUL << 48);
    return x < y ? -1 : x > y;
}

/* Two owners of one slot, or a slot that reaches into the next one, would be the library's own
 * overflow. */
Test(hslab, slots_are_apart_inside_and_zero, .init = start)
{
    for (unsigned sc = 0; sc < MEDIUM_END; sc += 7) {
        size_t bytes = hslab_slot_bytes(sc);
        unsigned count = bytes < 1024 ? SLOTS : 100;
        take(sc, count);
        qsort(g_words, count, sizeof g_words[0], compare);
        for (unsigned i = 0; i < count; i++) {
            char *ptr = hslab_ptr_of_word(g_words[i]);
            struct hslab *slab = hslab_of_word(g_words[i]);
            unsigned slot = hslab_slot_of_word(g_words[i]);
            cr_assert(i == 0 || ptr - hslab_ptr_of_word(g_words[i - 1]) >= (ptrdiff_t)bytes);
            cr_assert_eq(slab->sc, sc);
            cr_assert_eq(hslab_slot(slab, slot), ptr);
            cr_assert_eq(hslab_slot_of(slab, ptr + bytes - 1), slot);
            cr_assert(slot >= slab->first && slot < slab->slots);
            cr_assert_eq(hslab_record(slab, slot), 0);
            cr_assert(is_all_zero(ptr, bytes));
            memset(ptr, 0xff, bytes);
        }
    }
}

/* A slot that can be foretold is what an attacker needs. */
Test(hslab, the_first_slot_is_chosen_at_random, .init = start)
{
    bool was_seen[128] = {false};
    unsigned places = 0;
    for (int i = 0; i < 100; i++) {
        take(CLASS, 1);
        unsigned slot = hslab_slot_of_word(g_words[0]);
        cr_assert_lt(slot, 128); // few are open
        places += !was_seen[slot];
        was_seen[slot] = true;
        hslab_free(CLASS, g_words, 1, NULL);
    }
    cr_assert_gt(places, 25);
}

/* By its record a second free is known, and a slot that was freed while somebody looked. */
Test(hslab, a_record_tells_the_state_of_its_slot, .init = start)
{
    take(CLASS, 1);
    struct hslab *slab = hslab_of_word(g_words[0]);
    unsigned slot = hslab_slot_of_word(g_words[0]);
    _Atomic(uint16_t) *record = &slab->records[slot];
    unsigned first = 0;
    for (unsigned round = 0; round < 8; round++) {
        unsigned before = hslab_record(slab, slot);
        hslab_set_used(record, 8 + round);
        unsigned used = hslab_record(slab, slot);
        cr_assert_neq(used & RECORD_USED, 0);
        cr_assert_eq(used & RECORD_FREES, before & RECORD_FREES);
        cr_assert_eq(hslab_bytes_in(slab, used), slab->slot_bytes - 8 - round);
        hslab_set_free(record, used);
        unsigned freed = hslab_record(slab, slot);
        cr_assert_eq(freed & RECORD_USED, 0);
        cr_assert_neq(freed & RECORD_FREES, before & RECORD_FREES);
        cr_assert_eq(hslab_bytes_in(slab, freed), slab->slot_bytes - 8 - round);
        first = round == 0 ? freed & RECORD_FREES : first;
        cr_assert_eq((freed & RECORD_FREES) == first, round % 4 == 0); // modulo four
    }
}

static size_t live_count(const struct hslab *slab, size_t *slack)
{
    *slack = 0;
    return hslab_live_count(slab, slack);
}

Test(hslab, blocks_in_use_are_counted_with_what_lies_behind_them, .init = start)
{
    size_t slack;
    take(CLASS, 10);
    struct hslab *slab = hslab_of_word(g_words[0]);
    cr_assert_eq(live_count(slab, &slack), 0);
    for (unsigned i = 0; i < 10; i++) {
        hslab_set_used(&slab->records[hslab_slot_of_word(g_words[i])], 8 + i);
    }
    cr_assert_eq(live_count(slab, &slack), 10);
    cr_assert_eq(slack, 80 + 45);
}

/* Beyond three a class keeps no empty slab; a trim keeps none. */
Test(hslab, empty_slabs_are_released_but_for_three, .init = start)
{
    size_t before = used_chunks();
    take(CLASS, SLOTS);
    size_t length = hslab_of_word(g_words[0])->length;
    cr_assert_gt(used_chunks() - before, 3 * length);
    hslab_free(CLASS, g_words, SLOTS, NULL);
    cr_assert_eq(used_chunks() - before, 3 * length);
    cr_assert_eq(hslab_trim(NULL), 3 * length << CHUNK_SHIFT);
    cr_assert_eq(used_chunks(), before);
    span_check();
    take(CLASS, SLOTS); // HSLAB-3: of the structures from before
    hslab_free(CLASS, g_words, SLOTS, NULL);
    hslab_trim(NULL);
    cr_assert_eq(used_chunks(), before);
}

/* HSLAB-3: the records of the slab from before would call new slots used. */
Test(hslab, a_structure_that_is_used_again_has_no_records, .init = start)
{
    take(CLASS, 1);
    struct hslab *slab = hslab_of_word(g_words[0]);
    for (unsigned slot = slab->first; slot < slab->slots; slot++) {
        hslab_set_record(slab, slot, RECORD_FREES_STEP);
    }
    hslab_free(CLASS, g_words, 1, NULL);
    hslab_trim(NULL);
    take(CLASS, 8);
    for (unsigned i = 0; i < 8; i++) {
        struct hslab *again = hslab_of_word(g_words[i]);
        cr_assert_eq(again, slab);
        cr_assert_eq(hslab_record(again, hslab_slot_of_word(g_words[i])), 0);
    }
}

/* HSLAB-4: the kernel refuses to make guard pages readable. */
Test(hslab, a_slab_that_cannot_be_closed_is_released_later, .init = start)
{
    size_t before = used_chunks();
    take(CLASS, 100);
    hslab_free(CLASS, g_words, 100, NULL);
    size_t kept = used_chunks() - before;
    os_fail_after(-1);
    cr_assert_eq(hslab_trim(NULL), 0);
    os_fail_after(0);
    cr_assert_eq(used_chunks() - before, kept);
    take(CLASS, 100); // meanwhile it serves
    cr_assert_eq(used_chunks() - before, kept);
    hslab_free(CLASS, g_words, 100, NULL);
    cr_assert_eq(hslab_trim(NULL), kept << CHUNK_SHIFT);
    cr_assert_eq(used_chunks(), before);
}

/* Without memory there is no slot, and nothing is lost. */
Test(hslab, no_memory_is_no_slot, .init = start)
{
    size_t before = used_chunks();
    take(CLASS, 1);
    struct hslab *slab = hslab_of_word(g_words[0]);
    hslab_free(CLASS, g_words, 1, NULL);
    hslab_trim(NULL);
    span_trim(0); // the region has to grow for the next one
    os_fail_after(-1);
    cr_assert_eq(hslab_allocate(CLASS, &g_random, g_words, 8), 0);
    os_fail_after(0);
    cr_assert_eq(used_chunks(), before);
    take(CLASS, 8);
    cr_assert_eq(hslab_of_word(g_words[0]), slab); // of the same structure
}

Test(hslab, a_slot_that_is_freed_twice_dies, .init = start, .signal = SIGABRT)
{
    take(CLASS, 2);
    hslab_free(CLASS, g_words, 1, NULL);
    hslab_free(CLASS, g_words, 1, NULL);
}

Test(hslab, a_write_to_a_free_slot_dies_when_its_slab_is_released, .init = start, .signal = SIGABRT)
{
    take(CLASS, 1);
    *hslab_ptr_of_word(g_words[0]) = 1;
    hslab_free(CLASS, g_words, 1, NULL);
    hslab_trim(NULL);
}

Test(hslab, behind_the_slots_nothing_can_be_written, .init = start, .signal = SIGSEGV)
{
    take(CLASS, 1);
    struct hslab *slab = hslab_of_word(g_words[0]);
    slab->start[((size_t)slab->length << CHUNK_SHIFT) - 1] = 1;
}

Test(hslab, a_block_of_no_bytes_cannot_be_read, .init = start, .signal = SIGSEGV)
{
    take(HSLAB_EMPTY_CLASS, 1);
    volatile char *ptr = hslab_ptr_of_word(g_words[0]);
    cr_assert_eq(hslab_bytes_in(hslab_of_word(g_words[0]), 0), 0);
    *ptr;
}

/* An observer, or whoever looks again at a block from before, must not use what is gone. */
Test(hslab, a_released_slab_is_not_seen, .init = start)
{
    take(CLASS, 1);
    const char *ptr = hslab_ptr_of_word(g_words[0]);
    const struct chunk *entry = page_map_entry(page_map_find(ptr));
    struct hslab *slab = hslab_hold(ptr);
    cr_assert_eq(slab, hslab_of_word(g_words[0]));
    cr_assert_eq(hslab_see(entry), slab);
    hslab_let_go(slab);
    hslab_free(CLASS, g_words, 1, NULL);
    hslab_trim(NULL);
    cr_assert_null(hslab_hold(ptr));
    cr_assert_null(hslab_see(entry));
}
