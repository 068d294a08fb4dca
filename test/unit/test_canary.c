/* test_canary.c - what lies behind a block: whole after it was written, at any address and length,
 * and not whole once any byte of it that is looked at has changed. */
#include "hardened/canary.h"

#include <criterion/criterion.h>

enum { ROOM = 128 };

static _Alignas(16) char g_room[ROOM];

// Every byte of a canary of `bytes` that ends at the end of the room.
static void check_every_byte(size_t bytes, size_t most)
{
    char *end = g_room + ROOM - bytes;
    uint64_t word = canary_word(g_room);
    memset(g_room, 0, sizeof g_room);
    canary_write(word, end, bytes, most);
    cr_assert(canary_is_whole(word, end, bytes, most));
    for (size_t i = 0; i < bytes; i++) {
        bool is_seen = i < 8 || i >= bytes - 8 || i < most / 8 * 8;
        char kept = end[i];
        cr_assert(!is_seen || i == 0 || (kept & 0x80) != 0);
        cr_assert(i != 0 || kept == 0); // of a string that was not ended
        end[i] = 'x';
        cr_assert_eq(canary_is_whole(word, end, bytes, most), !is_seen);
        end[i] = kept;
    }
}

// A byte that nobody looks at would be an overflow that nobody sees.
Test(canary, every_byte_counts)
{
    for (size_t bytes = CANARY_BYTES; bytes < ROOM; bytes++) {
        check_every_byte(bytes, ROOM);
    }
}

// The shortest form: what comes right behind the block, and what is right before the next.
Test(canary, the_first_and_the_last_word_count_always)
{
    for (size_t bytes = CANARY_BYTES; bytes < ROOM; bytes++) {
        check_every_byte(bytes, 8);
    }
}

// A canary that could be copied from block to block would hide the copy.
Test(canary, each_address_has_its_own)
{
    for (size_t i = 16; i < ROOM; i += 16) {
        cr_assert_neq(canary_word(g_room), canary_word(g_room + i));
    }
}

Test(canary, one_byte_that_is_not_zero_is_seen)
{
    memset(g_room, 0, sizeof g_room);
    cr_assert(is_all_zero(g_room, sizeof g_room));
    for (size_t i = 0; i < ROOM; i++) {
        g_room[i] = 1;
        cr_assert(!is_all_zero(g_room, sizeof g_room));
        g_room[i] = 0;
    }
}
