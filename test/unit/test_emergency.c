/* test_emergency.c - blocks for handlers in the middle of a slow path. */
#include "core/emergency.h"
#include "base/config.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* EMERGENCY-3: A program whose handler allocates and frees for years would fill its memory. */
Test(emergency, freed_blocks_are_used_again_and_zero)
{
    uintptr_t least = UINTPTR_MAX;
    uintptr_t most = 0;
    for (unsigned i = 0; i < 100000; i++) {
        unsigned char *first = emergency_allocate(1000 + i % 100, 16);
        unsigned char *second = emergency_allocate(40, 64);
        cr_assert_eq((uintptr_t)second % 64, 0);
        for (unsigned k = 0; k < 1000; k++) {
            cr_assert_eq(first[k], 0);
        }
        memset(first, 0xff, 1000 + i % 100);
        memset(second, 0xff, 40);
        least = (uintptr_t)first < least ? (uintptr_t)first : least;
        most = (uintptr_t)second > most ? (uintptr_t)second : most;
        cr_assert(emergency_free(i % 2 == 0 ? first : second));
        cr_assert(emergency_free(i % 2 == 0 ? second : first));
    }
    cr_assert_lt(most - least, 8192);
}

/* Whose word is gone is no block. */
Test(emergency, a_block_is_freed_once)
{
    char *kept = emergency_allocate(100, 16);
    char *block = emergency_allocate(200, 16);
    cr_assert_eq(emergency_usable_bytes(block), 200);
    cr_assert_eq(emergency_usable_bytes(block + 16), SIZE_MAX);
    cr_assert_eq(emergency_usable_bytes(block + 1), SIZE_MAX);
    cr_assert(emergency_free(block));
    cr_assert_not(emergency_free(block));
    cr_assert_eq(emergency_usable_bytes(block), SIZE_MAX);
    cr_assert_eq(emergency_usable_bytes(kept), 100);
    char *next = emergency_allocate(100, 16);
    cr_assert(next > block); // `kept` is still there
}

/* A crash reporter keeps much: each area is twice as long as the one before. */
Test(emergency, areas_are_few)
{
    enum { COUNT = 20000, BYTES = 10000 }; // 200 MB
    static char *blocks[COUNT];
    unsigned areas = 1;
    for (unsigned i = 0; i < COUNT; i++) {
        blocks[i] = emergency_allocate(BYTES, 16);
        cr_assert_not_null(blocks[i]);
        if (i != 0 && blocks[i] - blocks[i - 1] != blocks[1] - blocks[0]) {
            areas++;
        }
    }
    cr_assert_lt(areas, 12);
    for (unsigned i = 0; i < COUNT; i++) {
        cr_assert(emergency_is_inside(blocks[i]));
        cr_assert(emergency_free(blocks[i]));
    }
    char here;
    cr_assert_not(emergency_is_inside(&here));
}

static bool is_resident(const char *ptr)
{
    unsigned char state = 0;
    long page = sysconf(_SC_PAGESIZE);
    cr_assert_eq(mincore((void *)((uintptr_t)ptr & -(uintptr_t)page), 1, &state), 0);
    return (state & 1) != 0;
}

/* EMERGENCY-3: What a handler once needed much of does not stay, and is zero when it is used again.
 */
Test(emergency, memory_without_blocks_goes_back)
{
    enum { COUNT = 800, BYTES = 1000 };
    static char *blocks[COUNT];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            blocks[i] = emergency_allocate(BYTES, 16);
            for (unsigned k = 0; k < BYTES; k++) {
                cr_assert_eq(blocks[i][k], 0);
            }
            memset(blocks[i], 1, BYTES);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            cr_assert(emergency_free(blocks[i]));
        }
        cr_assert_not(is_resident(blocks[COUNT / 2]));
        cr_assert_not(is_resident(blocks[COUNT - 1]));
    }
}

/* A long block beside one that stays. */
Test(emergency, a_long_block_goes_back_at_once)
{
    char *kept = emergency_allocate(100, 16);
    char *longer = emergency_allocate(600000, 16);
    memset(kept, 1, 100);
    memset(longer, 2, 600000);
    cr_assert(emergency_free(longer));
    cr_assert_not(is_resident(longer + 300000));
    cr_assert_eq(kept[0] & kept[99], 1);
}

/* Handlers that always keep some blocks: of 200 MB in all, areas of a few MiB are used in turn. */
Test(emergency, blocks_that_come_and_go_need_few_areas)
{
    enum { KEPT = 64, ROUNDS = 200000, BYTES = 1000 };
    static char *kept[KEPT];
    uintptr_t seen[8] = {0}; /* MiB in which blocks were found */
    for (unsigned i = 0; i < ROUNDS; i++) {
        char **place = &kept[i % KEPT];
        cr_assert(*place == NULL || emergency_free(*place));
        *place = emergency_allocate(BYTES, 16);
        cr_assert_not_null(*place);
        unsigned at = 0;
        while (at < 8 && seen[at] != 0 && seen[at] != (uintptr_t)*place >> 20) {
            at++;
        }
        cr_assert_lt(at, 8);
        seen[at] = (uintptr_t)*place >> 20;
    }
}

static void *churn(void *seed)
{
    unsigned char mark = (unsigned char)(uintptr_t)seed;
    unsigned char *kept[8] = {NULL};
    for (unsigned i = 0; i < 100000; i++) {
        unsigned char **place = &kept[(i * 7 + mark) % 8];
        if (*place != NULL) {
            for (unsigned k = 0; k < 24; k++) {
                cr_assert_eq((*place)[k], mark);
            }
            cr_assert(emergency_free(*place));
        }
        *place = emergency_allocate(24, 16);
        cr_assert_eq((*place)[0] | (*place)[23], 0);
        memset(*place, mark, 24);
        if (i % 64 == 0) { // so that the area begins anew
            for (unsigned k = 0; k < 8; k++) {
                cr_assert(kept[k] == NULL || emergency_free(kept[k]));
                kept[k] = NULL;
            }
        }
    }
    return NULL;
}

/* An area that begins anew while another thread takes a block of it. */
Test(emergency, threads_get_blocks_of_their_own)
{
    pthread_t threads[3];
    for (uintptr_t i = 0; i < 3; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
}

Test(emergency, blocks_are_zero_aligned_and_apart)
{
    char *before = NULL;
    size_t before_bytes = 0;
    for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
        char *block = emergency_allocate(100, alignment);
        cr_assert_not_null(block);
        cr_assert_eq((size_t)block % alignment, 0);
        cr_assert_geq(emergency_usable_bytes(block), 100);
        cr_assert(block >= before + before_bytes || block + 100 <= before);
        for (size_t i = 0; i < 100; i++) {
            cr_assert_eq(block[i], 0);
        }
        before = block;
        before_bytes = emergency_usable_bytes(block);
        memset(block, 1, before_bytes);
    }
}

/* EMERGENCY-1, EMERGENCY-2: free asks, for each pointer that it does not know. */
Test(emergency, blocks_are_known_and_others_are_not)
{
    int other = 0;
    cr_assert_not(emergency_is_inside(&other));
    cr_assert_not(emergency_is_inside(NULL));
    char *block = emergency_allocate(64, 16);
    cr_assert(emergency_is_inside(block));
    cr_assert(emergency_is_inside(block + 63));
    cr_assert_not(emergency_is_inside(&other));
}

/* An area is 1 MiB: a longer block, or many of them, need more. */
Test(emergency, there_is_more_than_one_area)
{
    char *longer = emergency_allocate(8 << 20, 16);
    cr_assert_not_null(longer);
    memset(longer, 1, 8 << 20);
    for (int i = 0; i < 3000; i++) {
        char *block = emergency_allocate(1000, 16);
        cr_assert_not_null(block);
        cr_assert(emergency_is_inside(block));
        memset(block, 2, 1000);
    }
    cr_assert(emergency_is_inside(longer + (8 << 20) - 1));
    cr_assert_eq(longer[(8 << 20) - 1], 1);
    cr_assert_null(emergency_allocate(EMERGENCY_BYTES_MAX + 1, 16));
}
