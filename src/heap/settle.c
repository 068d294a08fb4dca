/* settle.c - small slabs whose blocks come back.
 *
 * Owns:       the states of the slabs of a heap but for the one a refill chooses; opened, empty,
 *             had_many, wakes of each class. A refill (heap.c, bin.c) adds to opened and sets wakes
 *             to 0.
 * Threads:    the owner, with heap->busy set.
 * Locks:      takes none itself; page heap below takes its own.
 * Invariants: SETTLE-1  a slab gets a new countdown, or another state, when its countdown ends.
 * States:     see heap.c.
 */
#include "heap/settle.h"

#include "pages/page_heap.h"
#include "heap/bin.h"
#include "heap/partial.h"
#include "heap/slab.h"
#include "heap/watch.h"

#define EMPTIES_MAX 2 // empty slabs a heap keeps, one per class at most
#define WAKES_MANY  4 // slabs of a class that wake without a refill: it shrinks
#define FEW_SLABS   2 // of a class that had many: nearly all of it was freed

void settle_give(struct chunk *slab)
{
    slab_close(slab);
    page_heap_give(page_map_index(slab), 1);
}

static void give_own(struct heap *heap, struct chunk *slab)
{
    heap->opened[slab->class]--;
    settle_give(slab);
}

static void give_partial(struct heap *heap, struct chunk *slab)
{
    partial_remove(heap, slab);
    give_own(heap, slab);
}

void settle_give_empty(struct heap *heap, unsigned class)
{
    if (heap->empty[class] != 0) {
        give_partial(heap, page_map_entry(heap->empty[class]));
    }
}

// A PARTIAL slab whose blocks are all back: kept, or given to the page heap. Of two the lower one
// is kept: the upper one may be what keeps the break up.
static void emptied(struct heap *heap, struct chunk *slab)
{
    unsigned class = slab->class;
    uint32_t index = page_map_index(slab);
    bool has_kept = heap->empty[class] != 0;
    if (has_kept ? index > heap->empty[class] : heap->empties >= EMPTIES_MAX) {
        give_partial(heap, slab);
        return;
    }
    settle_give_empty(heap, class);
    slab_arm(slab, slab->carved, SLAB_ARM_NEVER);
    heap->empty[class] = index;
    heap->empties++; // PARTIAL-2
}

unsigned settle_wake_count(const struct chunk *slab)
{
    unsigned eighth = slab_capacity(slab) / 8;
    return eighth != 0 ? eighth : 1;
}

// Blocks came back to a slab that is not active: moves it on and sets its next countdown.
void settle_slab(struct heap *heap, struct chunk *slab)
{
    unsigned free = slab_free_count(slab);
    if (chunk_state(slab) == CHUNK_FULL) {
        if (free < settle_wake_count(slab)) {
            slab_arm(slab, free, settle_wake_count(slab) - free);
            return;
        }
        partial_insert(heap, slab);
        heap->wakes[slab->class] = (uint8_t)min_size(heap->wakes[slab->class] + 1U, WAKES_MANY);
    }
    if (free == slab->carved) {
        emptied(heap, slab);
    } else {
        slab_arm(slab, free, slab->carved - free);
    }
}

void settle_deactivate(struct heap *heap, struct chunk *slab)
{
    heap->active[slab->class] = NULL;
    partial_insert(heap, slab);
}

// A class of many slabs has come down to a kept one and the active one. The latter, opened last,
// often lies at the end of the heap, and would keep the break up for the sake of a full bin.
static void class_shrunk(struct heap *heap, unsigned class)
{
    struct chunk *slab = heap->active[class];
    if (slab != NULL) {
        bin_unload(heap, slab);
        if (!slab_is_idle(slab)) { // asked again when the last of its blocks is back
            slab_arm(slab, slab_free_count(slab), slab->carved - slab_free_count(slab));
            return;
        }
        settle_deactivate(heap, slab);
        settle_slab(heap, slab);
    }
    heap->had_many &= ~(1U << class);
}

// True from the moment that a class has many slabs until it has come down to few.
static inline bool had_many(const struct heap *heap, unsigned class)
{
    return ((heap->had_many >> class) & 1) != 0;
}

// The countdown of an active slab: to the next free while the class is watched; to the last of its
// blocks where there were many slabs, but not where a handful of blocks goes in and out of one slab
// all the time.
uint32_t settle_countdown(const struct heap *heap, const struct chunk *slab)
{
    if (UNLIKELY(watch_is_on(heap, slab->class))) {
        return 1;
    }
    return had_many(heap, slab->class) ? slab->carved : SLAB_ARM_NEVER;
}

// Moves on a slab whose countdown ran down; true when its class shrinks.
static bool run_down(struct heap *heap, struct chunk *slab)
{
    unsigned class = slab->class;
    if (chunk_state(slab) == CHUNK_ACTIVE) {
        bool is_watched = slab->armed == 1; // else it was the last of the slab's blocks
        if (is_watched) {
            watch_free(heap, slab);
        }
        if (!slab_is_idle(slab) || (is_watched && !had_many(heap, class))) {
            unsigned free = slab_free_count(slab);
            uint32_t countdown = settle_countdown(heap, slab);
            slab_arm(slab, free, countdown == slab->carved ? countdown - free : countdown);
            return false;
        }
        settle_deactivate(heap, slab); // the bin has none of its blocks
    }
    bool is_idle = slab_is_idle(slab);
    settle_slab(heap, slab);
    return is_idle || heap->wakes[class] == WAKES_MANY;
}

// True when that ended the slab's countdown.
static inline bool put_block(struct chunk *slab, void *ptr)
{
    block_set_link(ptr, slab->free);
    slab->free = ptr;
    return --slab->left == 0;
}

// The class shrinks. What free put into the bin goes home, so that slabs can empty.
static void send_scattered_home(struct heap *heap, unsigned class)
{
    void *next = NULL;
    bin_close(heap, class);
    for (void *ptr = bin_take_scattered(heap, class); ptr != NULL; ptr = next) {
        struct chunk *slab = page_map_entry(page_map_find(ptr));
        next = block_next(ptr);
        if (put_block(slab, ptr)) {
            run_down(heap, slab);
        }
    }
}

void settle_event(struct heap *heap, struct chunk *slab)
{
    unsigned class = slab->class;
    if (run_down(heap, slab) && heap->quota[class] != 0) {
        send_scattered_home(heap, class);
    }
    if (had_many(heap, class) && heap->opened[class] <= FEW_SLABS) {
        class_shrunk(heap, class);
    }
}

void settle_block(struct heap *heap, struct chunk *slab, void *ptr)
{
    if (put_block(slab, ptr)) {
        settle_event(heap, slab);
    }
}
