/* bin.c - what a thread has at hand of one small class.
 *
 * Owns:       heap->bins, room, quota, handed of each class.
 * Threads:    the owner, with heap->busy set.
 * Locks:      none.
 * Invariants: BIN-1  a block in a bin is no free block to its slab.
 */
#include "heap/bin.h"

#include "heap/watch.h"

#define QUOTA_MIN 16        // blocks of a class that free may put into a bin
#define QUOTA_MAX UINT8_MAX // and a slab of them

// Room for twice as many blocks as last time when free used all of it, for half as many when it
// used less than half: where malloc and free take turns, much is used again while it is warm;
// where all is freed at last, little stays behind. None while every free is looked at.
static unsigned quota_of(const struct heap *heap, unsigned class)
{
    unsigned old = heap->quota[class];
    unsigned absorbed = bin_absorbed(heap, class);
    size_t quota = absorbed == old ? 2 * old : absorbed < old / 2 ? old / 2 : old;
    size_t most = min_size(g_size_classes[class].blocks, QUOTA_MAX);
    return UNLIKELY(watch_is_on(heap, class))
               ? 0
               : (unsigned)min_size(max_size(quota, QUOTA_MIN), most);
}

static void set_room(struct heap *heap, unsigned class, unsigned quota)
{
    heap->handed[class] += bin_absorbed(heap, class);
    heap->quota[class] = (uint8_t)quota;
    heap->room[class] = (int32_t)quota;
}

void *bin_load(struct heap *heap, unsigned class, void *list, unsigned count)
{
    void *next = block_next(list);
    if (UNLIKELY(next == list)) { // freed twice in a row
        fatal_double_free(list, size_class_bytes(class), heap->caller);
    }
    bin_set_first(heap, class, next);
    heap->handed[class] += count;
    heap->wakes[class] = 0;
    set_room(heap, class, quota_of(heap, class));
    return list;
}

void bin_close(struct heap *heap, unsigned class)
{
    set_room(heap, class, 0);
}

static void check_length(const struct heap *heap, unsigned class, unsigned length)
{
    if (UNLIKELY(length > BIN_BLOCKS_MAX)) { // a ring: a block was freed twice
        fatal_double_free(bin_first(heap, class), size_class_bytes(class), heap->caller);
    }
}

unsigned bin_length(const struct heap *heap, unsigned class)
{
    unsigned length = 0;
    for (void *ptr = bin_first(heap, class); ptr != NULL; ptr = block_next(ptr)) {
        check_length(heap, class, ++length);
    }
    return length;
}

struct list {
    void *first, *last;
    unsigned count;
};

// Most blocks are linked already, as they were before: those are not written to.
static void list_append(struct list *list, void *ptr)
{
    if (list->last == NULL) {
        list->first = ptr;
    } else if (block_next(list->last) != ptr) {
        block_set_next(list->last, ptr);
    }
    list->last = ptr;
    list->count++;
}

static inline bool is_in(const struct chunk *slab, const void *ptr)
{
    return (uintptr_t)ptr - (uintptr_t)page_map_address(page_map_index(slab)) < CHUNK_BYTES;
}

// Those of one slab, or, NULL, those of the heap's slabs that are not active.
static bool is_wanted(const struct heap *heap, const struct chunk *wanted, const void *ptr)
{
    if (wanted != NULL) {
        return is_in(wanted, ptr);
    }
    const struct chunk *slab = page_map_entry(page_map_find(ptr));
    return chunk_owner(slab) == heap && chunk_state(slab) != CHUNK_ACTIVE;
}

// Takes the wanted blocks out of a bin.
static struct list split(struct heap *heap, unsigned class, const struct chunk *wanted)
{
    struct list taken = {NULL, NULL, 0};
    struct list rest = {NULL, NULL, 0};
    void *next = NULL;
    for (void *ptr = bin_first(heap, class); ptr != NULL; ptr = next) {
        next = block_next(ptr);
        list_append(is_wanted(heap, wanted, ptr) ? &taken : &rest, ptr);
        check_length(heap, class, taken.count + rest.count);
    }
    if (rest.count != 0) {
        block_set_next(rest.last, NULL);
    }
    bin_set_first(heap, class, rest.first);
    return taken;
}

// Takes all of a bin when they are of one slab; else none.
static struct list take_all_of(struct heap *heap, const struct chunk *slab)
{
    void *first = heap->bins[slab->class];
    struct list all = {first, NULL, 0};
    for (void *ptr = first; is_in(slab, ptr); ptr = block_link(ptr)) { // list_end is nowhere
        all.last = ptr;
        check_length(heap, slab->class, ++all.count);
    }
    if (all.count == 0 || block_next(all.last) != NULL) {
        return (struct list){NULL, NULL, 0};
    }
    bin_set_first(heap, slab->class, NULL);
    return all;
}

void bin_unload(struct heap *heap, struct chunk *slab)
{
    unsigned class = slab->class;
    struct list own = take_all_of(heap, slab);
    if (own.count == 0) {
        own = split(heap, class, slab);
    }
    if (own.count != 0) {
        slab_put_list(slab, own.first, own.last, own.count);
    }
    heap->handed[class] -= own.count;
}

void *bin_take_scattered(struct heap *heap, unsigned class)
{
    struct list scattered = split(heap, class, NULL);
    if (scattered.count != 0) {
        block_set_next(scattered.last, NULL);
    }
    heap->handed[class] -= scattered.count;
    return scattered.first;
}
