/* test_slab.c - spans cut into blocks: carving, coming home, purging single pages. */
#include "core/slab.h"
#include "core/slot.h"
#include "base/os.h"
#include "pages/page_heap.h"
#include "pages/span.h"
#include "support/by_address.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

static void start(void)
{
    cr_assert(span_start(true));
    cr_assert(slot_start(SLOT_AUTO));
}

static struct chunk *open_slab(unsigned sc, bool is_clean)
{
    bool is_zero = false;
    size_t index = page_heap_allocate(g_size_classes[sc].slab_chunks, 1, &is_zero);
    cr_assert_neq(index, 0);
    if (is_clean && !is_zero) {
        memset(page_map_address(index), 0, (size_t)g_size_classes[sc].slab_chunks << CHUNK_SHIFT);
    }
    slab_open(index, sc, is_clean);
    return page_map_entry(index);
}

static void close_slab(struct chunk *slab)
{
    size_t index = page_map_index(slab);
    slab_close(slab);
    page_heap_free(index, slab->length);
}

/* Carves all that is left into `blocks`, by address; their count. */
static unsigned carve_all(struct chunk *slab, char **blocks)
{
    unsigned count = 0;
    bool is_clean;
    for (list_word list = slab_carve(slab, &is_clean); !list_is_empty(list);
         list = slab_carve(slab, &is_clean)) {
        for (; !list_is_empty(list); list = list_link(list_first(list))) {
            cr_assert(list_is_sound(list));
            blocks[count++] = list_first(list);
        }
    }
    qsort(blocks, count, sizeof *blocks, by_address);
    return count;
}

/* What free reads of an address is a byte for its chunk: each of them must tell the class. */
Test(slab, a_new_slab_is_named_in_all_its_chunks_and_has_nothing_carved, .init = start)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        struct chunk *slab = open_slab(sc, false);
        size_t index = page_map_index(slab);
        for (size_t i = index; i < index + slab->length; i++) {
            cr_assert_eq(page_map_bin(i), sc + 1);
            cr_assert_eq(slab_of((char *)page_map_address(i) + 100), slab);
        }
        cr_assert(slab_is_idle(slab));
        cr_assert(slab_has_blocks(slab));
        cr_assert_eq(slab_out_count(slab), 0);
        cr_assert_eq(slab_reached(slab), 0);
        size_t length = slab->length;
        close_slab(slab);
        for (size_t i = index; i < index + length; i++) {
            cr_assert_eq(page_map_bin(i), 0);
        }
    }
}

/* Two blocks of one address are the worst that an allocator can do; one forgotten is a leak. */
Test(slab, carving_makes_each_block_once, .init = start)
{
    static char *blocks[SMALL_BLOCKS_MAX];
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        struct chunk *slab = open_slab(sc, false);
        cr_assert_eq(carve_all(slab, blocks), slab_capacity(slab));
        for (unsigned i = 0; i < slab_capacity(slab); i++) {
            cr_assert_eq(blocks[i], slab_block(slab, i));
        }
        cr_assert_not(slab_has_blocks(slab));
        cr_assert_eq(slab_out_count(slab), slab_capacity(slab));
        close_slab(slab);
    }
}

/* Threads that take turns on a CPU pop them one after the other, and write to them at once. */
Test(slab, seven_neighbours_in_a_list_lie_in_different_cache_lines, .init = start)
{
    for (unsigned sc = 0; size_class_bytes(sc) <= CACHE_LINE_BYTES; sc++) {
        struct chunk *slab = open_slab(sc, false);
        bool is_clean;
        uintptr_t blocks[SMALL_BLOCKS_MAX];
        size_t count = 0;
        for (list_word list = slab_carve(slab, &is_clean); !list_is_empty(list);
             list = list_link(list_first(list))) {
            blocks[count++] = (uintptr_t)list_first(list);
        }
        cr_assert_gt(count, 8);
        size_t stride = (CACHE_LINE_BYTES + size_class_bytes(sc) - 1) / size_class_bytes(sc);
        count -= count % (SLAB_SPREAD_LINES * stride); // the rest of a page is closer
        for (size_t i = 0; i < 7 * count; i++) {
            uintptr_t one = blocks[i / 7];
            uintptr_t other = blocks[i / 7 + i % 7 < count ? i / 7 + i % 7 : i / 7];
            uintptr_t lower = one < other ? one : other;
            uintptr_t upper = one < other ? other : one;
            cr_assert(one == other || (lower + size_class_bytes(sc) - 1) / CACHE_LINE_BYTES !=
                                          upper / CACHE_LINE_BYTES);
        }
        close_slab(slab);
    }
}

/* Memory that no block needs yet stays untouched; and no page is left to two carvers. */
Test(slab, blocks_to_2048_bytes_are_carved_by_the_page, .init = start)
{
    for (unsigned sc = 0; size_class_bytes(sc) <= 2048; sc++) {
        struct chunk *slab = open_slab(sc, false);
        size_t bytes = size_class_bytes(sc);
        while (slab_reached(slab) != slab_capacity(slab)) {
            bool is_clean;
            size_t from = slab_reached(slab) * bytes;
            unsigned count = list_count(slab_carve(slab, &is_clean));
            size_t end = slab_reached(slab) * bytes;
            cr_assert_eq(end - from, count * bytes);
            cr_assert(count == 1 || end <= align_down(from, PAGE) + PAGE);
            cr_assert(end + bytes > align_down(from, PAGE) + PAGE ||
                      slab_reached(slab) == slab_capacity(slab));
        }
        close_slab(slab);
    }
}

/* calloc believes it, and a page that is not touched here is none of the program's memory. */
Test(slab, blocks_above_2048_bytes_are_carved_singly_and_clean_where_the_span_was, .init = start)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        struct chunk *slab = open_slab(sc, true);
        size_t bytes = size_class_bytes(sc);
        bool is_clean = false;
        for (list_word list = slab_carve(slab, &is_clean); !list_is_empty(list);
             list = slab_carve(slab, &is_clean)) {
            char *block = list_first(list);
            cr_assert_eq(is_clean, list_count(list) == 1);
            cr_assert(bytes <= 2048 || is_clean);
            for (size_t i = sizeof(list_word); is_clean && i < bytes; i++) {
                cr_assert_eq(block[i], 0);
            }
            for (; !list_is_empty(list); list = list_link(block)) {
                block = list_first(list);
                memset(block + sizeof(list_word), 0xff, bytes - sizeof(list_word));
            }
        }
        close_slab(slab);
    }
}

/* SLAB-3: What was used before holds what its user left. */
Test(slab, blocks_of_a_used_span_are_never_called_clean, .init = start)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        struct chunk *slab = open_slab(sc, false);
        bool is_clean = true;
        while (!list_is_empty(slab_carve(slab, &is_clean))) {
            cr_assert_not(is_clean);
            is_clean = true;
        }
        close_slab(slab);
    }
}

/* A program that frees what it never had would make a slab with blocks from nowhere. */
Test(slab, no_more_blocks_come_home_than_were_carved, .init = start)
{
    for (unsigned sc = 0; sc < CLASSES; sc += 5) {
        struct chunk *slab = open_slab(sc, false);
        bool is_clean;
        list_word list = slab_carve(slab, &is_clean);
        unsigned count = list_count(list);
        char *last = NULL;
        while (!list_is_empty(list)) {
            last = list_first(list);
            list = list_link(last);
            cr_assert_not(slab_is_idle(slab));
            cr_assert(slab_put(slab, last));
        }
        cr_assert_not(slab_put(slab, last));
        cr_assert(slab_is_idle(slab));
        cr_assert_eq(slab_free_count(slab), count);
        cr_assert_eq(list_count(slab_take(slab)), count);
        cr_assert_eq(slab_out_count(slab), count);
        close_slab(slab);
    }
}

/* A free of anything else would put two blocks on one another. */
Test(slab, a_block_is_found_at_its_start_only, .init = start)
{
    static char *blocks[SMALL_BLOCKS_MAX];
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        struct chunk *slab = open_slab(sc, false);
        cr_assert_eq(slab_block_index(slab, slab_start(slab)), SLAB_NO_BLOCK); // not yet carved
        unsigned count = carve_all(slab, blocks);
        for (unsigned i = 0; i < count; i++) {
            cr_assert_eq(slab_block_index(slab, blocks[i]), i);
            cr_assert_eq(slab_block_index(slab, blocks[i] + 8), SLAB_NO_BLOCK);
            cr_assert_eq(slab_block_index(slab, blocks[i] + size_class_bytes(sc) - 1),
                         SLAB_NO_BLOCK);
        }
        cr_assert_eq(slab_block_index(slab, blocks[count - 1] + size_class_bytes(sc)),
                     SLAB_NO_BLOCK); // the tail that is no block
        close_slab(slab);
    }
}

/* ---- purging ---- */

static bool is_resident(void *page)
{
    unsigned char pages = 0;
    cr_assert_eq(mincore(page, PAGE, &pages), 0);
    return (pages & 1) != 0;
}

/* Where the pages end that the first block keeps: its own, and those of the block behind it when
 * that begins in one of them and is longer than a page. */
static size_t kept_end(size_t bytes)
{
    size_t own = align_up(bytes, PAGE);
    return bytes <= PAGE || own == bytes ? own : align_up(2 * bytes, PAGE);
}

/* Most of a slab in which little lives on is pages that nobody needs. */
Test(slab, pages_without_a_live_block_go_back_to_the_kernel, .init = start)
{
    if (os_page_bytes() != PAGE) {
        return;
    }
    static char *blocks[SMALL_BLOCKS_MAX];
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        struct chunk *slab = open_slab(sc, false);
        size_t used = slab_capacity(slab) * size_class_bytes(sc);
        unsigned count = carve_all(slab, blocks);
        memset(slab_start(slab), 1, used);
        for (unsigned i = 1; i < count; i++) {
            cr_assert(slab_put(slab, blocks[i]));
        }
        size_t resident = 0;
        size_t purged = slab_purge_pages(slab);
        for (size_t at = 0; at < align_up(used, PAGE); at += PAGE) {
            bool stays = is_resident(slab_start(slab) + at);
            cr_assert(stays ? at < kept_end(size_class_bytes(sc)) : at >= size_class_bytes(sc));
            resident += stays ? PAGE : 0;
        }
        cr_assert_eq(purged + resident, align_up(used, PAGE));
        close_slab(slab);
    }
}

/* A random part of the blocks lives on, each with its own contents. */
struct model {
    struct chunk *slab;
    unsigned char live[SMALL_BLOCKS_MAX]; // 0: not in use; else the byte that it is filled with
    unsigned live_count;
};

static void model_use(struct model *model, char *block)
{
    unsigned index = slab_block_index(model->slab, block);
    cr_assert_neq(index, SLAB_NO_BLOCK);
    cr_assert_eq(model->live[index], 0, "handed out twice");
    model->live[index] = (unsigned char)(index % 255 + 1);
    model->live_count++;
    memset(block, model->live[index], size_class_bytes(model->slab->sc));
}

static void model_use_list(struct model *model, list_word list)
{
    while (!list_is_empty(list)) {
        char *block = list_first(list);
        cr_assert(list_is_sound(list));
        list = list_link(block);
        model_use(model, block);
    }
}

static void model_free_some(struct model *model, unsigned percent)
{
    for (unsigned i = 0; i < slab_reached(model->slab); i++) {
        if (model->live[i] != 0 && (unsigned)rand() % 100 < percent) {
            model->live[i] = 0;
            model->live_count--;
            cr_assert(slab_put(model->slab, slab_block(model->slab, i)));
        }
    }
}

static void model_check(const struct model *model)
{
    size_t bytes = size_class_bytes(model->slab->sc);
    for (unsigned i = 0; i < slab_capacity(model->slab); i++) {
        const unsigned char *block = (unsigned char *)slab_block(model->slab, i);
        for (size_t k = 0; model->live[i] != 0 && k < bytes; k++) {
            cr_assert_eq(block[k], model->live[i], "class %u, block %u", model->slab->sc, i);
        }
    }
    cr_assert_eq(slab_out_count(model->slab), model->live_count);
    cr_assert_leq(slab_free_count(model->slab), model->slab->carved);
    cr_assert_leq(model->slab->carved, slab_reached(model->slab));
}

/* Takes what is home and carves, at least `steps` times. */
static void model_take(struct model *model, unsigned steps)
{
    bool is_clean;
    model_use_list(model, slab_take(model->slab));
    for (unsigned i = 0; i < steps; i++) {
        model_use_list(model, slab_carve(model->slab, &is_clean));
    }
}

/* Pages and blocks overlap in every way that the classes know. Purged too much, a block in use is
 * zero; carved anew too much, one has two owners; too little, it is lost. */
Test(slab, purging_takes_no_live_block_and_loses_none, .init = start)
{
    static struct model model;
    srand(1);
    for (unsigned round = 0; round < 40 * CLASSES; round++) {
        unsigned sc = round % CLASSES;
        memset(&model, 0, sizeof model);
        model.slab = open_slab(sc, false);
        for (unsigned step = 0; step < 6; step++) {
            model_take(&model, (unsigned)rand() % 5);
            model_free_some(&model, step % 2 == 0 ? 50 : 90);
            size_t purged = slab_purge_pages(model.slab);
            cr_assert_eq(purged % PAGE, 0);
            model_check(&model);
            cr_assert(slab_has_blocks(model.slab) || model.live_count == slab_capacity(model.slab));
        }
        model_take(&model, 2 * slab_capacity(model.slab));
        model_check(&model);
        cr_assert_eq(model.live_count, slab_capacity(model.slab));
        close_slab(model.slab);
    }
}

/* The block that reaches into it is on no list any more, since it begins in a purged page. */
Test(slab, a_page_behind_a_purged_one_goes_when_its_blocks_come_home, .init = start)
{
    static char *blocks[SMALL_BLOCKS_MAX];
    struct chunk *slab = open_slab(10, false);
    unsigned count = carve_all(slab, blocks);
    unsigned per_page = PAGE / (unsigned)size_class_bytes(10) + 1;
    if (os_page_bytes() != PAGE) {
        return;
    }
    for (unsigned page = 0; page < 3; page++) {
        for (unsigned i = page * per_page; i < (page + 1) * per_page && i < count; i++) {
            cr_assert(slab_put(slab, blocks[i]));
        }
        cr_assert_eq(slab_purge_pages(slab), PAGE);
    }
}

/* Nothing of it is zero any more once its blocks were carved anew and used. */
Test(slab, blocks_carved_anew_are_not_called_clean, .init = start)
{
    static char *blocks[SMALL_BLOCKS_MAX];
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        struct chunk *slab = open_slab(sc, true);
        unsigned count = carve_all(slab, blocks);
        for (unsigned i = 0; i < count; i++) {
            cr_assert(slab_put(slab, blocks[i]));
        }
        slab_purge_pages(slab);
        bool is_clean = true;
        slab_take(slab);
        while (slab->purged != 0) {
            cr_assert_gt(list_count(slab_carve(slab, &is_clean)), 0);
            cr_assert_not(is_clean);
            is_clean = true;
        }
        close_slab(slab);
    }
}

/* The walk of a damaged list could end anywhere. */
Test(slab, a_purge_dies_of_a_list_that_was_written_to, .init = start, .signal = SIGABRT)
{
    static char *blocks[SMALL_BLOCKS_MAX];
    struct chunk *slab = open_slab(3, false);
    unsigned count = carve_all(slab, blocks);
    for (unsigned i = 0; i < count; i++) {
        cr_assert(slab_put(slab, blocks[i]));
    }
    list_set_link(blocks[count / 2], 0);
    slab_purge_pages(slab);
}
