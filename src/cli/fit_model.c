/* fit_model.c - first fit, best fit and segregated fit on one row of chunks.
 *
 * Owns:       the chunks of struct fit_heap.
 * Threads:    one.
 * Invariants: FIT-1  chunks cover the heap in order, without gaps: chunk i + 1 starts where i
 *                    ends.
 *             FIT-2  with coalescing, two free neighbours outside of slabs do not exist.
 *             FIT-3  a chunk of a slab is as long as every other of that slab; a slab whose chunks
 *                    are all free becomes one free chunk again.
 */
#include "cli/fit_model.h"

#include <string.h>

void fit_init(struct fit_heap *heap, enum fit_policy policy, int units, bool coalesces)
{
    memset(heap, 0, sizeof(*heap));
    heap->policy = policy;
    heap->coalesces = coalesces;
    heap->units = units;
    heap->count = 1;
    heap->chunks[0].length = (short)units;
}

static void insert(struct fit_heap *heap, int at, struct fit_chunk chunk)
{
    memmove(&heap->chunks[at + 1], &heap->chunks[at], (size_t)(heap->count - at) * sizeof(chunk));
    heap->chunks[at] = chunk;
    heap->count++;
}

static void drop(struct fit_heap *heap, int at)
{
    memmove(&heap->chunks[at], &heap->chunks[at + 1],
            (size_t)(heap->count - at - 1) * sizeof(heap->chunks[0]));
    heap->count--;
}

/* Cut a free chunk, so that its first part has this length. */
static void split(struct fit_heap *heap, int at, int length)
{
    struct fit_chunk *const chunk = &heap->chunks[at];
    if (chunk->length > length) {
        struct fit_chunk rest = *chunk;
        rest.start = (short)(chunk->start + length);
        rest.length = (short)(chunk->length - length);
        chunk->length = (short)length;
        insert(heap, at + 1, rest);
    }
}

/* The free chunk that the policy picks for `units`, or -1. */
static int search(struct fit_heap *heap, int units, int slab_size)
{
    int best = -1;
    heap->searches++;
    for (int i = 0; i < heap->count; i++) {
        const struct fit_chunk *const chunk = &heap->chunks[i];
        if (chunk->letter != 0) {
            continue; // allocators link the free chunks only, so this is no look
        }
        if (chunk->slab_size != slab_size) {
            continue; // on the list of another class
        }
        heap->looks++;
        if (chunk->length < units) {
            continue;
        }
        if (heap->policy != FIT_BEST) {
            return i;
        }
        best = best < 0 || chunk->length < heap->chunks[best].length ? i : best;
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
    for (int i = slab; heap->chunks[i].length > size; i++) {
        split(heap, i, size);
        heap->chunks[i].slab_size = (short)size;
        heap->chunks[i + 1].slab_size = (short)size;
    }
    heap->chunks[slab].slab_size = (short)size;
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
    heap->chunks[at].letter = letter;
    heap->chunks[at].asked = (short)units;
    return heap->chunks[at].start;
}

static bool is_free(const struct fit_heap *heap, int at)
{
    return at >= 0 && at < heap->count && heap->chunks[at].letter == 0;
}

/* FIT-3 */
static int close_slab(struct fit_heap *heap, int at)
{
    const int slab_start = heap->chunks[at].start / FIT_SLAB * FIT_SLAB;
    int first = at;
    while (first > 0 && heap->chunks[first - 1].start >= slab_start) {
        first--;
    }
    int units = 0;
    for (int i = first; is_free(heap, i) && units < FIT_SLAB; i++) {
        units += heap->chunks[i].length;
    }
    if (units < FIT_SLAB) {
        return -1;
    }
    while (heap->chunks[first].length < FIT_SLAB) {
        heap->chunks[first].length =
            (short)(heap->chunks[first].length + heap->chunks[first + 1].length);
        drop(heap, first + 1);
    }
    heap->chunks[first].slab_size = 0;
    return first;
}

/* FIT-2 */
static void coalesce(struct fit_heap *heap, int at)
{
    const int first = is_free(heap, at - 1) && heap->chunks[at - 1].slab_size == 0 ? at - 1 : at;
    while (is_free(heap, first + 1) && heap->chunks[first + 1].slab_size == 0) {
        heap->chunks[first].length =
            (short)(heap->chunks[first].length + heap->chunks[first + 1].length);
        drop(heap, first + 1);
    }
}

void fit_give(struct fit_heap *heap, int start)
{
    int at = 0;
    while (at < heap->count && heap->chunks[at].start != start) {
        at++;
    }
    if (at == heap->count) {
        return;
    }
    heap->chunks[at].letter = 0;
    heap->chunks[at].asked = 0;
    if (heap->chunks[at].slab_size != 0) {
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
        const struct fit_chunk *const chunk = &heap->chunks[i];
        if (chunk->letter != 0) {
            figures.wasted_inside += chunk->length - chunk->asked;
            continue;
        }
        figures.free_units += chunk->length;
        figures.free_run_max =
            chunk->length > figures.free_run_max ? chunk->length : figures.free_run_max;
    }
    return figures;
}

void fit_draw(const struct fit_heap *heap, char *line)
{
    for (int i = 0; i < heap->count; i++) {
        const struct fit_chunk *const chunk = &heap->chunks[i];
        for (int unit = 0; unit < chunk->length; unit++) {
            line[chunk->start + unit] = '.';
            if (chunk->letter != 0 && unit < chunk->asked) {
                line[chunk->start + unit] = chunk->letter;
            } else if (chunk->letter != 0) {
                line[chunk->start + unit] = '+';
            }
        }
    }
    line[heap->units] = 0;
}
