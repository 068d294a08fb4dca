/* test_huge_index.c - the table that knows huge blocks by their pointers. */
#include "pages/huge_index.h"

#include <criterion/criterion.h>
#include <stdint.h>

enum { BLOCKS = 5000 }; // more than the first buckets: they double several times

static struct huge_block *blocks[BLOCKS];

static const void *pointer(size_t i)
{
    return (const void *)(uintptr_t)((i + 1) * 0x200000 + i % 3 * 64);
}

static void fill(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = huge_index_new();
        cr_assert_not_null(blocks[i]);
        atomic_store(&blocks[i]->ptr, pointer(i));
        huge_index_insert(blocks[i]);
    }
}

/* INDEX-1, INDEX-2: each growth moves all of them. */
Test(huge_index, every_block_is_found_while_it_lives, .init = fill)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        cr_assert_eq(huge_index_find(pointer(i)), blocks[i]);
        cr_assert_null(huge_index_find((const char *)pointer(i) + 1));
    }
    for (size_t i = 0; i < BLOCKS; i += 2) {
        huge_index_remove(blocks[i]);
        huge_index_recycle(blocks[i]);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        cr_assert_eq(huge_index_find(pointer(i)), i % 2 == 0 ? NULL : blocks[i]);
    }
}

/* INDEX-2: chains stay short, or each free would walk through all blocks. */
Test(huge_index, chains_stay_short, .init = fill)
{
    size_t longest = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t length = 0;
        for (struct huge_block *at = blocks[i]; at != NULL; at = atomic_load(&at->next)) {
            length++;
        }
        longest = length > longest ? length : longest;
    }
    cr_assert_leq(longest, 16);
}

Test(huge_index, a_walk_meets_each_block_once, .init = fill)
{
    size_t count = 0;
    for (struct huge_block *at = huge_index_next(NULL); at != NULL; at = huge_index_next(at)) {
        count++;
    }
    cr_assert_eq(count, BLOCKS);
}

/* Readers without the lock rely on it: the memory is never anything else. */
Test(huge_index, a_structure_serves_the_next_block)
{
    struct huge_block *block = huge_index_new();
    huge_index_recycle(block);
    cr_assert_eq(huge_index_new(), block);
}
