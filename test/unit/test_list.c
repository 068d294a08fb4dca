/* test_list.c - lists that count themselves, and notice what was done to them. */
#include "core/list.h"
#include "core/slot.h"

#include <criterion/criterion.h>
#include <string.h>

enum { BLOCKS = 300 };

static _Alignas(16) char g_memory[BLOCKS][32];

/* The counts are 16 bits wide, and begin anywhere: the sums must hold at both ends. */
static const uint16_t g_ends[] = {1, 2, 77, 32767, 32768, UINT16_MAX - LIST_BLOCKS_MAX - 1};
enum { ENDS = sizeof g_ends / sizeof g_ends[0] };

static list_word list_of(unsigned count)
{
    list_word list = list_empty();
    for (unsigned i = 0; i < count; i++) {
        list = list_push(list, g_memory[i]);
    }
    return list;
}

/* Limits, magazines and the depot count by it, and never walk a list to know. */
Test(list, the_word_tells_how_many_blocks_follow)
{
    for (unsigned e = 0; e < ENDS; e++) {
        g_list_end = g_ends[e];
        list_word list = list_empty();
        cr_assert(list_is_empty(list));
        cr_assert_eq(list_count(list), 0);
        for (unsigned i = 0; i < BLOCKS; i++) {
            list = list_push(list, g_memory[i]);
            cr_assert_not(list_is_empty(list));
            cr_assert_eq(list_count(list), i + 1);
        }
    }
}

/* Slots begin as zeros, before anybody made them lists. */
Test(list, a_word_never_set_is_an_empty_list)
{
    cr_assert(list_is_empty(0));
    cr_assert_eq(list_count(0), 0);
}

/* The last one freed is the warm one; and none may be lost on the way. */
Test(list, blocks_come_back_last_in_first_out)
{
    for (unsigned e = 0; e < ENDS; e++) {
        g_list_end = g_ends[e];
        list_word list = list_of(BLOCKS);
        for (unsigned i = BLOCKS; i-- > 0;) {
            cr_assert(list_is_sound(list));
            cr_assert_eq(list_first(list), g_memory[i]);
            list = list_link(list_first(list));
            cr_assert_eq(list_count(list), i);
        }
        cr_assert_eq(list, list_empty());
    }
}

/* Only the first eight bytes of a free block are ours to write. */
Test(list, a_push_writes_one_word)
{
    memset(g_memory[0], 0x5a, sizeof g_memory[0]);
    list_push(list_empty(), g_memory[0]);
    for (unsigned i = sizeof(list_word); i < sizeof g_memory[0]; i++) {
        cr_assert_eq(g_memory[0][i], 0x5a);
    }
}

/* User addresses have 47 bits: the highest of them must come out as it went in. */
Test(list, the_highest_address_fits_into_a_word)
{
    const uintptr_t high = ((uintptr_t)1 << 47) - 16;
    list_word list = (list_word)high << LIST_COUNT_BITS | (uint16_t)(g_list_end + 1);
    cr_assert_eq((uintptr_t)list_first(list), high);
    cr_assert_eq(list_count(list), 1);
}

/* Zeros are what a memset of a freed block leaves; all ones and a pointer are other late writes. */
Test(list, a_link_that_was_overwritten_is_noticed)
{
    for (unsigned e = 0; e < ENDS; e++) {
        g_list_end = g_ends[e];
        for (unsigned count = 1; count <= BLOCKS; count++) {
            list_word list = list_of(count);
            list_word link = list_link(list_first(list));
            const list_word written[] = {0, link + 1, link - 1, link ^ 0x8000, list};
            cr_assert(list_is_sound(list));
            for (unsigned i = 0; i < sizeof written / sizeof written[0]; i++) {
                list_set_link(list_first(list), written[i]);
                cr_assert_not(list_is_sound(list));
            }
            list_set_link(list_first(list), link);
            cr_assert(list_is_sound(list));
        }
    }
}

/* Who forges a link to an address of his own has to guess the count as well. */
Test(list, a_forged_link_passes_for_one_count_of_65536)
{
    g_list_end = 4711;
    list_word list = list_of(5);
    unsigned passed = 0;
    for (unsigned count = 0; count <= UINT16_MAX; count++) {
        list_word forged = (list_word)(uintptr_t)g_memory[200] << LIST_COUNT_BITS | count;
        list_set_link(list_first(list), forged);
        passed += list_is_sound(list);
    }
    cr_assert_eq(passed, 1);
}

/* The second time that it comes its word is of another place in the list: before it gets a second
 * owner. */
Test(list, a_block_freed_twice_is_noticed_before_it_has_two_owners)
{
    for (unsigned between = 0; between < 50; between++) {
        list_word list = list_push(list_empty(), g_memory[100]);
        for (unsigned i = 0; i < between; i++) {
            list = list_push(list, g_memory[i]);
        }
        list = list_push(list, g_memory[100]);
        unsigned owners = 0;
        while (!list_is_empty(list) && list_is_sound(list) && owners < 3) {
            owners += list_first(list) == g_memory[100];
            list = list_link(list_first(list));
        }
        cr_assert_not(list_is_empty(list));
        cr_assert_eq(owners, 1);
    }
}

/* Else everybody knew which count to forge. */
Test(list, the_count_of_an_empty_list_is_random_and_never_zero)
{
    enum { STARTS = 200 };
    unsigned different = 0;
    uint16_t before = g_list_end;
    for (unsigned i = 0; i < STARTS; i++) {
        cr_assert(slot_start(SLOT_BY_THREAD));
        cr_assert_neq(g_list_end, 0);
        cr_assert_leq(g_list_end + LIST_BLOCKS_MAX, UINT16_MAX);
        different += g_list_end != before;
        before = g_list_end;
    }
    cr_assert_gt(different, STARTS / 2);
}
