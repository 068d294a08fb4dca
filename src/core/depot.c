/* depot.c - magazines of a size class, and the slabs behind them.
 *
 * Owns:       the magazines that are in no slot; all slabs and their lists.
 * Threads:    any.
 * Locks:      LOCK_DEPOT, one per size class. Spans are allocated and freed outside it.
 * Invariants: DEPOT-1  a slab is on the list of its class exactly while slab_has_blocks().
 *             DEPOT-2  `out` counts the carved blocks that are on no slab's free list and in no
 *                      magazine here: those in slots or in use.
 *             DEPOT-3  at most one empty slab, with no block out, is kept.
 *
 * A magazine changes hands as one word. Surplus blocks are drained: each returns to the free list
 * of its slab ("home"), and a slab that has all its blocks back is freed to the page heap. Surplus
 * is what exceeds an eighth of the blocks that the class has out, once the class has more than
 * KEEP_BYTES of slabs; below that, what it can keep in magazines and slabs is too little to matter.
 * A class that shrinks back below KEEP_BYTES keeps nothing until it grows again: each of its last
 * blocks may pin a slab, and one of those the break. A class of large blocks starts out like that:
 * what a growing vector leaves behind is not requested again, and serves other sizes.
 */
#include "core/depot.h"

#include "base/check.h"
#include "base/fatal.h"
#include "base/lock.h"
#include "base/live.h"
#include "base/tables.h"
#include "core/depot_data.h"
#include "core/inherited.h"
#include "core/magazine.h"
#include "core/slab.h"
#include "core/slab_list.h"
#include "core/thread.h"
#include "pages/page_heap.h"
#include "pages/purge.h"

#define KEEP_BYTES (CONFIG_TINY ? 0UL : 256UL * 1024) // see above
#define KEEP_SLABS 2UL                                // of large blocks, at least
#define KEEP_SHARE 8
#define LEAN_LARGE 4U // fetches after which blocks of a large class are kept

#define MAGAZINE_BLOCKS_SMALL 8U  // of small classes, while they shrink
#define MAGAZINE_SHARE        64U // of the blocks out, while there are many slabs
#define SLOTS_SHARE           16U // of the blocks out: what all slots may hold; see depot_set_slots

struct depots g_depot = {
    // clang-format off
    .of = {
        [0 ... MEDIUM_END - 1]       = {.lock = LOCK_INIT(LOCK_DEPOT)},
        [MEDIUM_END ... CLASSES - 1] = {.lock = LOCK_INIT(LOCK_DEPOT),
                                        .magazine_blocks = 1, .is_lean = true},
    },
    // clang-format on
};

list_word g_magazines[CLASSES][DEPOT_MAGAZINES];

TABLE(depot, .id = MYALLOC_TABLE_DEPOTS, .address = &g_depot.of, .second = &g_magazines,
      .bytes = sizeof(struct depot), .count = CLASSES,
      .fields = {offsetof(struct depot, count), offsetof(struct depot, blocks), DEPOT_MAGAZINES});

// Slabs to be freed to the page heap, linked by `next`.
struct retired {
    uint32_t first;
    bool is_late; // see page_heap_free_late
};

unsigned depot_magazine_blocks(unsigned sc)
{
    ASSERT(sc < CLASSES);
    unsigned blocks = atomic_load_explicit(&g_depot.of[sc].magazine_blocks, memory_order_relaxed);
    return blocks != 0 ? blocks - 1 : magazine_blocks_max(sc);
}

// ---- counts ----

// Adds to the blocks out, modulo 2^64; depot_out_bytes() reads them without the lock.
static void count_out_locked(struct depot *depot, size_t more)
{
    RELAXED_STORE(depot->out, depot->out + more);
    ASSERT((ptrdiff_t)depot->out >= 0);
}

static size_t slab_bytes(unsigned sc)
{
    ASSERT(sc < CLASSES);
    return (size_t)g_size_classes[sc].slab_chunks << CHUNK_SHIFT;
}

static bool is_large_locked(const struct depot *depot, unsigned sc)
{
    ASSERT(depot == &g_depot.of[sc]);
    size_t least = sc >= MEDIUM_END ? KEEP_SLABS : 0;
    return depot->slabs > max_size(KEEP_BYTES / slab_bytes(sc), least);
}

// Recomputes the magazine size after `out` or `slabs` changed.
static void adapt_locked(struct depot *depot, unsigned sc)
{
    unsigned most = magazine_blocks_max(sc);
    unsigned least = size_class_is_small(sc) ? MAGAZINE_BLOCKS_SMALL : MAGAZINE_BLOCKS_LEAST;
    size_t slots_share = atomic_load_explicit(&g_depot.share, memory_order_relaxed);
    size_t share = max_size(MAGAZINE_SHARE, slots_share);
    size_t blocks = most;
    if (is_large_locked(depot, sc) || share > MAGAZINE_SHARE) {
        blocks = clamp_size(depot->out / share, min_size(least, most), most);
    }
    if (is_large_locked(depot, sc)) {
        depot->is_lean = true;
        depot->fetches = 0;
    } else if (depot->is_lean) {
        blocks = 0;
    }
    ASSERT(blocks <= most);
    atomic_store_explicit(&depot->magazine_blocks, (uint16_t)(blocks + 1), memory_order_relaxed);
}

static size_t blocks_max_locked(const struct depot *depot, unsigned sc)
{
    if (is_large_locked(depot, sc)) {
        return depot->out / KEEP_SHARE;
    }
    return depot->is_lean ? 0 : SIZE_MAX;
}

void depot_set_slots(size_t slots)
{
    ASSERT(slots <= SIZE_MAX / SLOTS_SHARE / 2);
    size_t share = slots * SLOTS_SHARE * 2;
    atomic_store_explicit(&g_depot.share, share, memory_order_relaxed);
}

// ---- drain ----

// Takes an empty slab, with no block out, off its list to be freed.
static void retire_slab_locked(struct depot *depot, struct chunk *slab, struct retired *retired)
{
    ASSERT(slab_free_count(slab) + inherited_count(slab) == slab->carved);
    ASSERT(depot->slabs != 0);
    // No block is out any more: a reader without the lock sees nothing to purge.
    RELAXED_STORE(slab->carved, (uint16_t)(slab->carved - inherited_count(slab)));
    inherited_forget(slab);
    slab_list_remove(&depot->partial, slab);
    depot->slabs--;
    slab_close(slab); // under the lock, so that depot_purge_slab no longer finds it in the class
    slab->next = retired->first;
    retired->first = page_map_index(slab);
}

// Returns one block to its slab; a slab that becomes empty and is not kept is retired.
static void return_block_locked(struct depot *depot, unsigned sc, void *block,
                                struct retired *retired)
{
    struct chunk *slab = slab_of(block);
    size_t bytes = size_class_bytes(sc);
    if (UNLIKELY(chunk_state(slab) != CHUNK_SLAB) || UNLIKELY(slab->sc != sc) ||
        UNLIKELY(slab_block_index(slab, block) == SLAB_NO_BLOCK)) {
        fatal_interior_free(block, bytes, t_thread.caller);
    }
    bool had_blocks = slab_has_blocks(slab);
    if (UNLIKELY(!slab_put(slab, block))) {
        fatal_excess_free(block, bytes, t_thread.caller);
    }
    if (!had_blocks) {
        slab_list_insert(&depot->partial, slab); // DEPOT-1
    }
    unsigned marked = inherited_count(slab);
    if (LIKELY(slab_free_count(slab) + marked != slab->carved)) {
        return;
    }
    if (UNLIKELY(marked != 0)) {
        retire_slab_locked(depot, slab, retired);
        return;
    }
    if (size_class_is_single(sc)) {
        retire_slab_locked(depot, slab, retired); // magazines already keep as many as pays
        return;
    }
    uint32_t index = page_map_index(slab);
    uint32_t kept = depot->empty;
    if (kept == 0 || index < kept) { // free the higher one: it may be what holds up the break
        depot->empty = index;
    }
    ASSERT(slab_is_idle(page_map_entry(depot->empty))); // DEPOT-3
    if (kept != 0) {
        retire_slab_locked(depot, page_map_entry(index < kept ? kept : index), retired); // DEPOT-3
    }
}

// A class that has shrunk keeps no empty slab either: it may be what holds up the break.
static void retire_empty_locked(struct depot *depot, unsigned sc, struct retired *retired)
{
    if (depot->empty != 0 && depot->is_lean && !is_large_locked(depot, sc)) {
        ASSERT(slab_is_idle(page_map_entry(depot->empty))); // DEPOT-3
        retire_slab_locked(depot, page_map_entry(depot->empty), retired);
        depot->empty = 0;
    }
}

// Returns the blocks of a list to their slabs.
static void return_list_locked(struct depot *depot, unsigned sc, list_word list,
                               struct retired *retired)
{
    ASSERT(depot->out >= list_count(list)); // DEPOT-2
    count_out_locked(depot, -(size_t)list_count(list));
    while (!list_is_empty(list)) {
        void *block = list_first(list);
        if (UNLIKELY(page_map_find(block) == 0) || UNLIKELY(!list_is_sound(list))) {
            slab_complain(block, t_thread.caller);
        }
        list = list_link(block);
        return_block_locked(depot, sc, block, retired);
    }
}

// Drains the oldest `count` magazines to their slabs.
static void drain_oldest_locked(struct depot *depot, unsigned sc, unsigned count,
                                struct retired *retired)
{
    ASSERT(count <= depot->count);
    for (unsigned i = 0; i < count; i++) {
        list_word list = magazines_of(depot)[i];
        ASSERT(depot->blocks >= list_count(list));
        depot->blocks -= list_count(list);
        count_out_locked(depot, list_count(list));
        return_list_locked(depot, sc, list, retired);
    }
    for (unsigned i = count; i < depot->count; i++) {
        RELAXED_STORE(magazines_of(depot)[i - count], magazines_of(depot)[i]);
    }
    RELAXED_STORE(depot->count, depot->count - count);
    depot->low = (uint32_t)min_size(depot->low, depot->count);
}

// Without the lock held.
static void free_retired(struct retired retired)
{
    while (retired.first != 0) {
        uint32_t index = retired.first;
        struct chunk *slab = page_map_entry(index);
        ASSERT(slab->length != 0);
        retired.first = slab->next;
        (retired.is_late ? page_heap_free_late : page_heap_free)(index, slab->length);
    }
}

// `low` magazines were needed by no refill since the last sweep.
void depot_sweep(unsigned sc)
{
    struct depot *depot = &g_depot.of[sc];
    struct retired retired = {0};
    lock_acquire(&depot->lock);
    ASSERT(depot->low <= depot->count);
    drain_oldest_locked(depot, sc, depot->low, &retired);
    depot->low = depot->count;
    adapt_locked(depot, sc);
    lock_release(&depot->lock);
    free_retired(retired);
}

// ---- fetch ----

static list_word take_magazine_locked(struct depot *depot)
{
    ASSERT(depot->count != 0);
    RELAXED_STORE(depot->count, depot->count - 1);
    list_word list = magazines_of(depot)[depot->count];
    ASSERT(depot->blocks >= list_count(list));
    depot->blocks -= list_count(list);
    count_out_locked(depot, list_count(list));
    depot->low = (uint32_t)min_size(depot->low, depot->count);
    return list;
}

// Takes the free list of a slab, or carves its next blocks.
static list_word take_blocks_locked(struct depot *depot, struct chunk *slab, bool *is_clean)
{
    ASSERT(slab_has_blocks(slab)); // DEPOT-1
    if (page_map_index(slab) == depot->empty) {
        depot->empty = 0;
    }
    list_word list = list_is_empty(slab->free) ? slab_carve(slab, is_clean) : slab_take(slab);
    if (!slab_has_blocks(slab)) {
        slab_list_remove(&depot->partial, slab); // DEPOT-1
    }
    ASSERT(!list_is_empty(list));
    count_out_locked(depot, list_count(list));
    return list;
}

// Collects a slab with inherited blocks that this child of a fork freed; NULL: there is none.
static struct chunk *collect_locked(struct depot *depot, unsigned sc)
{
    struct chunk *slab = inherited_find(sc);
    if (slab != NULL) {
        bool is_listed = slab_has_blocks(slab);
        inherited_collect(slab);
        ASSERT(slab_has_blocks(slab)); // DEPOT-1
        if (!is_listed) {
            slab_list_insert(&depot->partial, slab);
        }
    }
    return slab;
}

static list_word take_locked(struct depot *depot, unsigned sc, bool *is_clean)
{
    if (depot->count != 0) {
        return take_magazine_locked(depot);
    }
    struct chunk *slab = slab_list_fullest(depot->partial);
    if (UNLIKELY(slab == NULL) && UNLIKELY(g_inherited_any)) {
        slab = collect_locked(depot, sc);
    }
    return slab != NULL ? take_blocks_locked(depot, slab, is_clean) : list_empty();
}

// Allocates a slab and carves its first blocks; an empty list if out of memory.
static struct depot_fetched take_fresh(struct depot *depot, unsigned sc)
{
    struct depot_fetched taken = {.list = list_empty()};
    bool is_zero = false;
    size_t length = g_size_classes[sc].slab_chunks;
    // Programs often allocate blocks of more than a page and write to a part of them only.
    size_t index = size_class_bytes(sc) <= PAGE_BYTES_MIN
                       ? page_heap_allocate_dense(length, &is_zero)
                       : page_heap_allocate(length, 1, &is_zero);
    if (index == 0) {
        return taken;
    }
    slab_open(index, sc, is_zero);
    lock_acquire(&depot->lock);
    slab_list_insert(&depot->partial, page_map_entry(index));
    depot->slabs++;
    taken.list = take_blocks_locked(depot, page_map_entry(index), &taken.is_clean);
    adapt_locked(depot, sc);
    lock_release(&depot->lock);
    taken.fresh_bytes = is_zero ? slab_bytes(sc) : 0;
    return taken;
}

struct depot_fetched depot_fetch(unsigned sc)
{
    struct depot *depot = &g_depot.of[sc];
    struct depot_fetched taken = {.list = list_empty()};
    lock_acquire(&depot->lock);
    taken.list = take_locked(depot, sc, &taken.is_clean);
    unsigned least = sc >= MEDIUM_END ? LEAN_LARGE : 1;
    if (UNLIKELY(depot->is_lean) && !is_large_locked(depot, sc) && ++depot->fetches >= least) {
        depot->is_lean = false; // it grows again
        adapt_locked(depot, sc);
    }
    lock_release(&depot->lock);
    return list_is_empty(taken.list) ? take_fresh(depot, sc) : taken;
}

// ---- return ----

// True if a list is to be drained at once, rather than an older magazine: its blocks are still in
// the CPU's caches.
static bool is_surplus_locked(const struct depot *depot, unsigned sc, list_word list)
{
    unsigned count = list_count(list);
    ASSERT(count != 0);
    bool is_short = count < depot_magazine_blocks(sc) / 2; // not worth an entry
    return depot->count == DEPOT_MAGAZINES || (depot->is_lean && is_short) ||
           depot->blocks + count > blocks_max_locked(depot, sc);
}

// How many of the oldest magazines to drain, since the blocks out became fewer: none until they
// hold twice as much as they may.
static unsigned too_many_locked(const struct depot *depot, unsigned sc)
{
    size_t most = blocks_max_locked(depot, sc);
    size_t blocks = depot->blocks;
    unsigned count = 0;
    if (most != 0 && blocks / 2 <= most) {
        return 0;
    }
    while (count < depot->count && blocks > most) {
        blocks -= list_count(magazines_of(depot)[count++]);
    }
    return count;
}

// Pushes a single block onto the newest magazine; false: it is full, or there is none.
static bool add_to_newest_locked(struct depot *depot, unsigned sc, void *block)
{
    if (depot->count == 0) {
        return false;
    }
    list_word *newest = &magazines_of(depot)[depot->count - 1];
    if (list_count(*newest) >= depot_magazine_blocks(sc)) {
        return false;
    }
    ASSERT(depot->out != 0); // DEPOT-2
    RELAXED_STORE(*newest, list_push(*newest, block));
    depot->blocks++;
    count_out_locked(depot, (size_t)-1);
    return true;
}

void depot_return(unsigned sc, list_word list)
{
    struct depot *depot = &g_depot.of[sc];
    struct retired retired = {0};
    if (list_is_empty(list)) {
        return;
    }
    lock_acquire(&depot->lock);
    if (list_count(list) == 1 && !depot->is_lean &&
        add_to_newest_locked(depot, sc, list_first(list))) {
        lock_release(&depot->lock);
        return;
    }
    retired.is_late = sc >= MEDIUM_END && depot->is_lean && !is_large_locked(depot, sc);
    if (is_surplus_locked(depot, sc, list)) {
        return_list_locked(depot, sc, list, &retired);
    } else {
        ASSERT(depot->count < DEPOT_MAGAZINES);
        ASSERT(depot->out >= list_count(list)); // DEPOT-2
        RELAXED_STORE(magazines_of(depot)[depot->count], list);
        RELAXED_STORE(depot->count, depot->count + 1);
        depot->blocks += list_count(list);
        count_out_locked(depot, -(size_t)list_count(list));
    }
    drain_oldest_locked(depot, sc, too_many_locked(depot, sc), &retired);
    adapt_locked(depot, sc);
    retire_empty_locked(depot, sc, &retired);
    lock_release(&depot->lock);
    free_retired(retired);
}

void depot_mark(struct chunk *slab, void *block)
{
    unsigned sc = slab->sc;
    struct depot *depot = &g_depot.of[sc];
    struct retired retired = {0};
    lock_acquire(&depot->lock);
    if (!inherited_mark(slab, slab_block_index(slab, block))) {
        fatal_double_free(block, size_class_bytes(sc), t_thread.caller);
    }
    ASSERT(depot->out != 0); // DEPOT-2
    count_out_locked(depot, (size_t)-1);
    if (slab_free_count(slab) + inherited_count(slab) == slab->carved) {
        if (!slab_has_blocks(slab)) {
            slab_list_insert(&depot->partial, slab);
        }
        retire_slab_locked(depot, slab, &retired);
    }
    adapt_locked(depot, sc);
    lock_release(&depot->lock);
    free_retired(retired);
}

void depot_drain_slot(struct slot *slot)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        list_word loaded = slot->loaded[sc + 1];
        list_word spare = slot->spare[sc + 1];
        slot_set(&slot->loaded[sc + 1], list_empty());
        slot_set(&slot->spare[sc + 1], list_empty());
        depot_return(sc, loaded);
        depot_return(sc, spare);
    }
}

// ---- purge ----

size_t depot_purge_slab(struct chunk *slab, unsigned sc, unsigned out_max)
{
    struct depot *depot = &g_depot.of[sc];
    size_t purged = 0;
    ASSERT(out_max <= UINT8_MAX); // `looked_at` holds it
    lock_acquire(&depot->lock);
    if (chunk_state(slab) == CHUNK_SLAB && slab->sc == sc) {
        unsigned out = slab_out_count(slab);
        if (out != 0 && out <= out_max && (slab->looked_at == 0 || out < slab->looked_at)) {
            RELAXED_STORE(slab->looked_at, (uint8_t)out);
            purged = slab_purge_pages(slab);
        }
    }
    lock_release(&depot->lock);
    return purged;
}

static size_t trim_class(unsigned sc, bool purges)
{
    struct depot *depot = &g_depot.of[sc];
    struct retired retired = {0};
    size_t purged = 0;
    lock_acquire(&depot->lock);
    drain_oldest_locked(depot, sc, depot->count, &retired);
    ASSERT(depot->blocks == 0);
    if (depot->empty != 0) {
        retire_slab_locked(depot, page_map_entry(depot->empty), &retired);
        depot->empty = 0;
    }
    for (uint32_t i = depot->partial; purges && i != 0; i = page_map_entry(i)->next) {
        purged += slab_purge_pages(page_map_entry(i));
    }
    depot->is_lean = true;
    depot->fetches = 0;
    adapt_locked(depot, sc);
    lock_release(&depot->lock);
    free_retired(retired);
    return purged;
}

size_t depot_trim(bool purges)
{
    size_t purged = 0;
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        purged += trim_class(sc, purges);
    }
    return purged;
}

void depot_each_lock(lock_visitor *visit)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        visit(&g_depot.of[sc].lock);
    }
}
