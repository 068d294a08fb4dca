/* fit_model.c - first fit, best fit and segregated fit on one row of pieces.
 *
 * Owns:       the pieces of struct fit_heap.
 * Threads:    one.
 * Invariants: FIT-1  pieces cover the heap in order, without gaps: piece i + 1 starts where i
 *                    ends.
 *             FIT-2  with coalescing, two free neighbours outside of slabs do not exist.
 *             FIT-3  a piece of a slab is as long as every other of that slab; a slab whose pieces
 *                    are all free becomes one free piece again.
 */
#include "cli/lab/fit_model.h"

#include <string.h>

void fit_init(struct fit_heap *heap, enum fit_policy policy, int units, bool coalesces)
{
    memset(heap, 0, sizeof(*heap));
    heap->policy = policy;
    heap->coalesces = coalesces;
    heap->units = units;
    heap->count = 1;
    heap->pieces[0].length = (short)units;
}

static void insert(struct fit_heap *heap, int at, struct fit_piece piece)
{
    memmove(&heap->pieces[at + 1], &heap->pieces[at], (size_t)(heap->count - at) * sizeof(piece));
    heap->pieces[at] = piece;
    heap->count++;
}

static void drop(struct fit_heap *heap, int at)
{
    memmove(&heap->pieces[at], &heap->pieces[at + 1],
            (size_t)(heap->count - at - 1) * sizeof(heap->pieces[0]));
    heap->count--;
}

/* Cut a free piece, so that its first part has this length. */
static void split(struct fit_heap *heap, int at, int length)
{
    struct fit_piece *const piece = &heap->pieces[at];
    if (piece->length > length) {
        struct fit_piece rest = *piece;
        rest.start = (short)(piece->start + length);
        rest.length = (short)(piece->length - length);
        piece->length = (short)length;
        insert(heap, at + 1, rest);
    }
}

/* The free piece that the policy picks for `units`, or -1. */
static int search(struct fit_heap *heap, int units, int slab_size)
{
    int best = -1;
    heap->searches++;
    for (int i = 0; i < heap->count; i++) {
        const struct fit_piece *const piece = &heap->pieces[i];
        if (piece->letter != 0) {
            continue; // allocators link the free pieces only, so this is no look
        }
        if (piece->slab_size != slab_size) {
            continue; // on the list of another class
        }
        heap->looks++;
        if (piece->length < units) {
            continue;
        }
        if (heap->policy != FIT_BEST) {
            return i;
        }
        best = best < 0 || piece->length < heap->pieces[best].length ? i : best;
    }
    return best;
}

static int class_of(int units)
{
    int size = 1;
    while (size < units) {
        size *= 2;
    }
    return size;
}

/* A free block of the class; a new slab is cut if there is none. */
static int search_class(struct fit_heap *heap, int size)
{
    const int block = search(heap, size, size);
    if (block >= 0 || size >= FIT_SLAB) {
        return block >= 0 ? block : search(heap, size, 0);
    }
    const int slab = search(heap, FIT_SLAB, 0);
    if (slab < 0) {
        return -1;
    }
    split(heap, slab, FIT_SLAB);
    for (int i = slab; heap->pieces[i].length > size; i++) {
        split(heap, i, size);
        heap->pieces[i].slab_size = (short)size;
        heap->pieces[i + 1].slab_size = (short)size;
    }
    heap->pieces[slab].slab_size = (short)size;
    return slab;
}

int fit_take(struct fit_heap *heap, int units, char letter)
{
    const bool is_segregated = heap->policy == FIT_SEGREGATED;
    const int length = is_segregated ? class_of(units) : units;
    const int at = is_segregated ? search_class(heap, length) : search(heap, units, 0);
    if (at < 0) {
        return -1;
    }
    split(heap, at, length);
    heap->pieces[at].letter = letter;
    heap->pieces[at].asked = (short)units;
    return heap->pieces[at].start;
}

static bool is_free(const struct fit_heap *heap, int at)
{
    return at >= 0 && at < heap->count && heap->pieces[at].letter == 0;
}

/* FIT-3 */
static int close_slab(struct fit_heap *heap, int at)
{
    const int slab_start = heap->pieces[at].start / FIT_SLAB * FIT_SLAB;
    int first = at;
    while (first > 0 && heap->pieces[first - 1].start >= slab_start) {
        first--;
    }
    int units = 0;
    for (int i = first; is_free(heap, i) && units < FIT_SLAB; i++) {
        units += heap->pieces[i].length;
    }
    if (units < FIT_SLAB) {
        return -1;
    }
    while (heap->pieces[first].length < FIT_SLAB) {
        heap->pieces[first].length =
            (short)(heap->pieces[first].length + heap->pieces[first + 1].length);
        drop(heap, first + 1);
    }
    heap->pieces[first].slab_size = 0;
    return first;
}

/* FIT-2 */
static void coalesce(struct fit_heap *heap, int at)
{
    const int first = is_free(heap, at - 1) && heap->pieces[at - 1].slab_size == 0 ? at - 1 : at;
    while (is_free(heap, first + 1) && heap->pieces[first + 1].slab_size == 0) {
        heap->pieces[first].length =
            (short)(heap->pieces[first].length + heap->pieces[first + 1].length);
        drop(heap, first + 1);
    }
}

void fit_give(struct fit_heap *heap, int start)
{
    int at = 0;
    while (at < heap->count && heap->pieces[at].start != start) {
        at++;
    }
    if (at == heap->count) {
        return;
    }
    heap->pieces[at].letter = 0;
    heap->pieces[at].asked = 0;
    if (heap->pieces[at].slab_size != 0) {
        at = close_slab(heap, at);
    }
    if (at >= 0 && heap->coalesces) {
        coalesce(heap, at);
    }
}

struct fit_figures fit_measure(const struct fit_heap *heap)
{
    struct fit_figures figures = {0};
    for (int i = 0; i < heap->count; i++) {
        const struct fit_piece *const piece = &heap->pieces[i];
        if (piece->letter != 0) {
            figures.wasted_inside += piece->length - piece->asked;
            continue;
        }
        figures.free_units += piece->length;
        figures.free_piece_max =
            piece->length > figures.free_piece_max ? piece->length : figures.free_piece_max;
    }
    return figures;
}

void fit_draw(const struct fit_heap *heap, char *line)
{
    for (int i = 0; i < heap->count; i++) {
        const struct fit_piece *const piece = &heap->pieces[i];
        for (int unit = 0; unit < piece->length; unit++) {
            line[piece->start + unit] = '.';
            if (piece->letter != 0 && unit < piece->asked) {
                line[piece->start + unit] = piece->letter;
            } else if (piece->letter != 0) {
                line[piece->start + unit] = '+';
            }
        }
    }
    line[heap->units] = 0;
}
