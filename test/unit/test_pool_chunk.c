/* test_pool_chunk.c - a span that a pool cuts into blocks: cells, and pieces of any size. */
#include "pool/pool_chunk.h"
#include "pages/page_map.h"
#include "pages/span.h"

#include <criterion/criterion.h>
#include <string.h>

static struct piece_bins bins;
static struct pool_chunk *chunk;

static void start_cells(void)
{
    cr_assert(span_start(true));
    chunk = pool_chunk_allocate(48, 10, 2, false, 16);
    cr_assert_not_null(chunk);
    pool_chunk_reset(chunk, &bins);
}

static void start_pieces(void)
{
    cr_assert(span_start(true));
    chunk = pool_chunk_allocate(PIECE_UNIT_BYTES, 10, 2, true, 16);
    cr_assert_not_null(chunk);
    pool_chunk_reset(chunk, &bins);
}

/* POOL_CHUNK-1: what the chunk knows of its blocks must not lie in one of them. */
Test(pool_chunk, cells_are_apart_and_inside, .init = start_cells)
{
    char *before = NULL;
    while (chunk->used < chunk->units) {
        char *cell = cell_allocate(chunk);
        cr_assert(cell >= chunk->first && cell + 48 <= (char *)chunk + pool_chunk_bytes(chunk));
        cr_assert(before == NULL || cell - before >= 48);
        cr_assert_eq(pool_chunk_of(cell), chunk);
        memset(cell, 0xff, 48);
        before = cell;
    }
    cr_assert_null(pool_chunk_of(&before));
}

Test(pool_chunk, a_cell_is_freed_once_and_by_its_first_byte, .init = start_cells)
{
    size_t bytes = 0;
    char *cell = cell_allocate(chunk);
    cr_assert_eq(cell_free(chunk, cell + 16, &bytes), POOL_INTERIOR);
    cr_assert_eq(bytes, 48);
    cr_assert_eq(cell_free(chunk, chunk, &bytes), POOL_FOREIGN);
    cr_assert_eq(cell_free(chunk, cell, &bytes), POOL_OK);
    cr_assert_eq(cell_free(chunk, cell, &bytes), POOL_FREED);
    cr_assert_eq(chunk->used, 0);
    cr_assert_eq(cell_allocate(chunk), cell);
}

/* POOL_CHUNK-2, POOL_CHUNK-3: free pieces are joined, so that the whole is one again. */
Test(pool_chunk, freed_pieces_become_one, .init = start_pieces)
{
    enum { PIECES = 64 };
    void *pieces[PIECES];
    size_t bytes = 0;
    struct pool_chunk *from = chunk;
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = piece_allocate(&bins, i % 40 + 1, 16, &from);
        cr_assert_not_null(pieces[i]);
        cr_assert_eq(from, chunk);
        memset(pieces[i], 0xff, (i % 40 + 1) * PIECE_UNIT_BYTES);
    }
    for (size_t i = 0; i < PIECES; i++) {
        size_t at = i * 27 % PIECES; // in another order
        cr_assert_eq(piece_free(&bins, chunk, pieces[at], &bytes), POOL_OK);
        cr_assert_eq(bytes, (at % 40 + 1) * PIECE_UNIT_BYTES);
    }
    cr_assert_eq(chunk->used, 0);
    cr_assert_not_null(piece_allocate(&bins, chunk->units, 16, &from));
    cr_assert_null(piece_allocate(&bins, 1, 16, &from));
}

Test(pool_chunk, a_piece_is_freed_once_and_by_its_first_byte, .init = start_pieces)
{
    size_t bytes = 0;
    struct pool_chunk *from = chunk;
    char *piece = piece_allocate(&bins, 5, 16, &from);
    char *other = piece_allocate(&bins, 5, 16, &from);
    cr_assert_eq(piece_free(&bins, chunk, piece + PIECE_UNIT_BYTES, &bytes), POOL_INTERIOR);
    cr_assert_eq(piece_free(&bins, chunk, piece + 1, &bytes), POOL_INTERIOR);
    cr_assert_eq(piece_free(&bins, chunk, piece, &bytes), POOL_OK);
    cr_assert_eq(piece_free(&bins, chunk, piece, &bytes), POOL_FREED);
    cr_assert_eq(piece_free(&bins, chunk, other, &bytes), POOL_OK);
}

Test(pool_chunk, its_span_goes_back_whole, .init = start_cells)
{
    size_t used = span_stats().used_chunks;
    size_t length = pool_chunk_bytes(chunk) >> CHUNK_SHIFT;
    pool_chunk_free(chunk);
    cr_assert_eq(span_stats().used_chunks, used - length);
    span_check();
}

/* Pieces of one bin, each behind a block that stays; whoever followed the broken link would crash.
 */
Test(pool_chunk, the_shortest_of_a_few_pieces_that_fit_is_taken, .init = start_pieces)
{
    enum { PIECES = 50 };
    struct piece *pieces[PIECES];
    struct pool_chunk *from;
    for (size_t i = 0; i < PIECES; i++) {
        size_t units = PIECE_BINS_EXACT + (i == PIECES - 5 ? 1 : i == PIECES - 9 ? 2 : 3);
        pieces[i] = piece_allocate(&bins, units, 16, &from);
        cr_assert_not_null(pieces[i]);
        cr_assert_not_null(piece_allocate(&bins, 1, 16, &from));
    }
    size_t bytes = 0;
    for (size_t i = 0; i < PIECES; i++) {
        cr_assert_eq(piece_free(&bins, chunk, pieces[i], &bytes), POOL_OK);
    }
    pieces[PIECES - 30]->next = (struct piece *)8;
    cr_assert_eq(piece_allocate(&bins, PIECE_BINS_EXACT + 1, 16, &from), pieces[PIECES - 5]);
}
