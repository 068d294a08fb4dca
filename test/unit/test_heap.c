/* test_heap.c - one thread's small tier and the slabs below it. */
#include "heap/heap.h"
#include "heap/heap_check.h"
#include "pages/span.h"
#include "heap/bin.h"
#include "heap/settle.h"
#include "heap/slab.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 20000 };

static struct heap *g_heap;
static void *g_bins[SMALL_CLASSES];
static void *g_blocks[COUNT];

static void start(void)
{
    cr_assert(span_start(true));
    g_heap = aligned_alloc(64, sizeof *g_heap);
    cr_assert_not_null(g_heap);
    memset(g_heap, 0, sizeof *g_heap);
    heap_init(g_heap);
    bin_clear(g_bins);
    g_heap->bins = g_bins;
    g_heap->busy = true;
}

/* What the fast path does when it misses, and when it hits. */
static void *take(unsigned class)
{
    void *block = bin_pop(g_heap, class);
    return block != NULL ? block : heap_refill(g_heap, class, true);
}

/* What the fast path does on a free by the owner. */
static void give(void *block)
{
    struct chunk *slab = page_map_entry(page_map_find(block));
    cr_assert_eq(chunk_owner(slab), g_heap);
    if (--g_heap->room[slab->class] >= 0) {
        block_set_link(block, g_bins[slab->class]);
        g_bins[slab->class] = block;
    } else {
        settle_block(g_heap, slab, block);
    }
}

/* Two blocks of one address are the worst that an allocator can do. */
Test(heap, blocks_of_every_class_are_apart, .init = start)
{
    for (unsigned class = 0; class < SMALL_CLASSES; class ++) {
        size_t bytes = size_class_bytes(class);
        for (size_t i = 0; i < 500; i++) {
            g_blocks[i] = take(class);
            cr_assert_not_null(g_blocks[i]);
            memset(g_blocks[i], (int)(i % 251), bytes);
        }
        for (size_t i = 0; i < 500; i++) {
            unsigned char *block = g_blocks[i];
            cr_assert_eq(block[0], i % 251);
            cr_assert_eq(block[bytes - 1], i % 251);
            give(g_blocks[i]);
        }
        heap_check(g_heap);
    }
}

Test(heap, a_block_is_found_at_its_start_only, .init = start)
{
    for (unsigned class = 0; class < SMALL_CLASSES; class ++) {
        char *block = take(class);
        struct chunk *slab = page_map_entry(page_map_find(block));
        unsigned index = slab_block_index(slab, block);
        cr_assert_lt(index, SMALL_BLOCKS_MAX);
        cr_assert_eq(slab_block(slab, index), block);
        cr_assert_eq(slab_block_index(slab, block + 8), SMALL_BLOCKS_MAX);
    }
}

/* Frees in random order wake sleeping slabs; nothing may get lost on the way. */
Test(heap, random_frees_keep_all_invariants, .init = start)
{
    srand(1);
    memset(g_blocks, 0, sizeof g_blocks);
    for (int step = 0; step < 200000; step++) {
        size_t slot = (size_t)rand() % COUNT;
        if (g_blocks[slot] == NULL) {
            g_blocks[slot] = take((unsigned)(slot % SMALL_CLASSES));
            cr_assert_not_null(g_blocks[slot]);
        } else {
            give(g_blocks[slot]);
            g_blocks[slot] = NULL;
        }
        if (step % 10000 == 0) {
            heap_check(g_heap);
        }
    }
}

/* Memory must not grow when the same blocks come and go. */
Test(heap, freed_blocks_are_used_again, .init = start)
{
    size_t used_chunks = 0;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            g_blocks[i] = take(10);
        }
        for (size_t i = 0; i < COUNT; i++) {
            give(g_blocks[i]);
        }
        size_t now = span_stats().used_chunks_max;
        cr_assert(round < 2 || now == used_chunks);
        used_chunks = now;
    }
}

/* The last one is still warm; the first frees are looked at one by one, and go to their slabs. */
Test(heap, a_block_freed_last_is_taken_next, .init = start)
{
    memset(g_heap->watched, UINT8_MAX, sizeof g_heap->watched);
    for (size_t i = 0; i < COUNT; i++) {
        g_blocks[i] = take(10);
    }
    give(g_blocks[7]);
    give(g_blocks[COUNT - 7]);
    cr_assert_eq(take(10), g_blocks[COUNT - 7]);
    cr_assert_eq(take(10), g_blocks[7]);
    uint64_t handed = g_heap->handed[10] + bin_absorbed(g_heap, 10);
    size_t in_bin = 0;
    for (void *block = bin_first(g_heap, 10); block != NULL; block = block_next(block)) {
        in_bin++;
    }
    cr_assert_eq(handed - in_bin, COUNT + 2);
}

/* One block of each of many slabs lies in the bin when the rest is freed. */
Test(heap, blocks_in_a_bin_hold_no_slab_when_the_class_shrinks, .init = start)
{
    memset(g_heap->watched, UINT8_MAX, sizeof g_heap->watched);
    for (size_t i = 0; i < COUNT; i++) {
        g_blocks[i] = take(10);
    }
    for (size_t first = 0; first < 200; first++) {
        for (size_t i = first; i < COUNT; i += 200) {
            give(g_blocks[i]);
        }
    }
    cr_assert_leq(g_heap->opened[10], 2);
}

Test(heap, a_flushed_heap_without_live_blocks_holds_no_slab, .init = start)
{
    for (size_t i = 0; i < COUNT; i++) {
        g_blocks[i] = take((unsigned)(i % SMALL_CLASSES));
    }
    for (size_t i = 0; i < COUNT; i++) {
        give(g_blocks[i]);
    }
    heap_flush(g_heap);
    heap_check(g_heap);
    cr_assert_eq(g_heap->slabs, 0);
    cr_assert_eq(span_stats().used_chunks, 0);
}

/* A dead thread's slabs go on living in the pools, with their blocks. */
Test(heap, dissolving_keeps_live_blocks, .init = start)
{
    for (size_t i = 0; i < 1000; i++) {
        g_blocks[i] = take(5);
        memset(g_blocks[i], (int)(i % 251), size_class_bytes(5));
    }
    heap_flush(g_heap);
    heap_dissolve(g_heap);
    cr_assert_eq(g_heap->slabs, 0);
    for (size_t i = 0; i < 1000; i++) {
        cr_assert_eq(*(unsigned char *)g_blocks[i], i % 251);
    }
}
