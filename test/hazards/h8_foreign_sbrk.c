/* h8_foreign_sbrk.c - the break is shared: other users of sbrk between our own steps.
 *
 * sbrk itself is not thread-safe, so the foreign user takes turns with the allocating thread.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/harness.h"

enum { ROUNDS = 200, PIECES_MAX = ROUNDS };

static struct {
    char *start[PIECES_MAX];
    size_t bytes[PIECES_MAX];
    size_t count;
} g_foreign;

static void foreign_grow(unsigned round)
{
    size_t bytes = round % 3 == 0 ? 4096 : 100 + round * 37;
    char *start = sbrk((intptr_t)bytes);
    if (start == (char *)-1) {
        return;
    }
    block_fill(start, bytes, round);
    g_foreign.start[g_foreign.count] = start;
    g_foreign.bytes[g_foreign.count] = bytes;
    g_foreign.count++;
}

/* Lowers the break by the last foreign piece if nobody has grown it since. */
static void foreign_shrink(void)
{
    if (g_foreign.count == 0) {
        return;
    }
    size_t last = g_foreign.count - 1;
    if ((char *)sbrk(0) == g_foreign.start[last] + g_foreign.bytes[last]) {
        REQUIRE(sbrk(-(intptr_t)g_foreign.bytes[last]) != (void *)-1);
        g_foreign.count = last;
    }
}

static void require_foreign_pieces_intact(void)
{
    for (size_t i = 0; i < g_foreign.count; i++) {
        unsigned seed = (unsigned)(unsigned char)g_foreign.start[i][0];
        REQUIRE(block_holds(g_foreign.start[i], g_foreign.bytes[i], seed));
    }
}

static void *foreign_turn(void *round)
{
    foreign_grow((unsigned)(uintptr_t)round);
    return NULL;
}

static void take_turns(void (*foreign)(unsigned round))
{
    void *blocks[ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t bytes = g_tier_sizes[round % (g_tier_size_count - 2)] + 40 * KIB;
        blocks[round] = malloc(bytes);
        REQUIRE(blocks[round] != NULL);
        block_fill(blocks[round], bytes, round);
        foreign(round);
        if (round % 3 == 2) {
            free(blocks[round - 1]);
            blocks[round - 1] = NULL;
        }
    }
    require_foreign_pieces_intact();
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t bytes = g_tier_sizes[round % (g_tier_size_count - 2)] + 40 * KIB;
        REQUIRE(blocks[round] == NULL || block_holds(blocks[round], bytes, round));
        free(blocks[round]);
    }
    require_foreign_pieces_intact();
}

TEST(foreign_pieces_of_the_break_stay_intact)
{
    take_turns(foreign_grow);
    REQUIRE(g_foreign.count > 0);
}

static void grow_and_shrink(unsigned round)
{
    if (round % 5 == 4) {
        foreign_shrink();
    } else {
        foreign_grow(round);
    }
}

TEST(a_foreign_user_may_lower_the_break_again)
{
    take_turns(grow_and_shrink);
}

static void grow_in_thread(unsigned round)
{
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, foreign_turn, (void *)(uintptr_t)round), 0);
    pthread_join(thread, NULL);
}

TEST(a_foreign_thread_may_use_the_break)
{
    take_turns(grow_in_thread);
}

static void *foreign_turn_up_or_down(void *round)
{
    grow_and_shrink((unsigned)(uintptr_t)round);
    return NULL;
}

static void grow_and_shrink_in_thread(unsigned round)
{
    pthread_t thread;
    void *argument = (void *)(uintptr_t)round;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, foreign_turn_up_or_down, argument), 0);
    pthread_join(thread, NULL);
}

TEST(a_foreign_thread_may_use_the_break_up_and_down)
{
    take_turns(grow_and_shrink_in_thread);
}
