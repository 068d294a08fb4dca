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

#include "base/fatal.h"
#include "base/lock.h"
#include "base/live.h"
#include "base/tables.h"
#include "core/inherited.h"
#include "core/magazine.h"
#include "core/slab.h"
#include "core/slab_list.h"
#include "core/thread.h"
#include "pages/page_heap.h"
#include "pages/purge.h"

#define KEEP_BYTES (CONFIG_TINY ? 0UL : 256UL * 1024) // see above
#define KEEP_SLABS 4UL                                // at least: a slot and the depot hold three
#define KEEP_SHARE 8
#define LEAN_LARGE 4U // fetches after which blocks of a large class are kept

#define MAGAZINE_BLOCKS_SMALL 8U  // of small classes, while they shrink
#define MAGAZINE_SHARE        64U // of the blocks out, while there are many slabs
#define SLOTS_SHARE           16U // of the blocks out: what all slots may hold; see depot_set_slots

static struct {
    struct ALIGNED(64) depot {
        struct lock lock;
        _Atomic(uint16_t) magazine_blocks; // [atomic] + 1; written under the lock; 0: not set yet
        uint32_t partial;                  // [lock: LOCK_DEPOT] first slab of the list; 0 none
        uint32_t empty;  // [lock: LOCK_DEPOT] slab with no block out, on the list; 0 none
        bool had_many;   // [lock: LOCK_DEPOT] was large and has only shrunk since; or began so
        uint8_t fetches; // [lock: LOCK_DEPOT] since had_many was set
        uint32_t slabs;  // [lock: LOCK_DEPOT]
        uint32_t count;  // [lock: LOCK_DEPOT] magazines
        uint32_t low;    // [lock: LOCK_DEPOT] fewest magazines since the last sweep
        size_t blocks;   // [lock: LOCK_DEPOT] in magazines
        size_t out;      // [lock: LOCK_DEPOT] DEPOT-2
    } of[CLASSES];
    _Atomic(size_t) share; // [atomic] see depot_set_slots; 0: not set
} g_depot = {
    // clang-format off
    .of = {
        [0 ... MEDIUM_END - 1]       = {.lock = LOCK_INIT(LOCK_DEPOT)},
        [MEDIUM_END ... CLASSES - 1] = {.lock = LOCK_INIT(LOCK_DEPOT),
                                        .magazine_blocks = 1, .had_many = true},
    },
    // clang-format on
};

// [lock: LOCK_DEPOT] The last one of a class is the newest. Kept apart from g_depot, so that the
// latter stays within few pages in small programs.
static list_word g_magazines[CLASSES][DEPOT_MAGAZINES];
static_assert(sizeof(struct depot) == CACHE_LINE_BYTES, "one line a class");

TABLE(depot, .id = MYALLOC_TABLE_DEPOTS, .address = &g_depot.of, .second = &g_magazines,
      .bytes = sizeof(struct depot), .count = CLASSES,
      .fields = {offsetof(struct depot, count), offsetof(struct depot, blocks), DEPOT_MAGAZINES});

static list_word *magazines_of(const struct depot *depot)
{
    return g_magazines[depot - g_depot.of];
}

// Slabs to be freed to the page heap, linked by `next`.
struct leaving {
    uint32_t first;
    bool is_late; // see page_heap_free_late
};

unsigned depot_magazine_blocks(unsigned sc)
{
    unsigned blocks = atomic_load_explicit(&g_depot.of[sc].magazine_blocks, memory_order_relaxed);
    return blocks != 0 ? blocks - 1 : magazine_blocks_max(sc);
}

// ---- counts ----

static size_t slab_bytes(unsigned sc)
{
    return (size_t)g_size_classes[sc].slab_chunks << CHUNK_SHIFT;
}

static bool is_large_locked(const struct depot *depot, unsigned sc)
{
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
        depot->had_many = true;
        depot->fetches = 0;
    } else if (depot->had_many) {
        blocks = 0;
    }
    atomic_store_explicit(&depot->magazine_blocks, (uint16_t)(blocks + 1), memory_order_relaxed);
}

static size_t blocks_max_locked(const struct depot *depot, unsigned sc)
{
    if (is_large_locked(depot, sc)) {
        return depot->out / KEEP_SHARE;
    }
    return depot->had_many ? 0 : SIZE_MAX;
}

void depot_set_slots(size_t slots)
{
    size_t share = slots * SLOTS_SHARE * 2;
    atomic_store_explicit(&g_depot.share, share, memory_order_relaxed);
}

// ---- drain ----

// Takes an empty slab, with no block out, off its list to be freed.
static void leave_locked(struct depot *depot, struct chunk *slab, struct leaving *leaving)
{
    // No block is out any more: a reader without the lock sees nothing to purge.
    slab->carved = (uint16_t)(slab->carved - inherited_count(slab));
    inherited_forget(slab);
    slab_list_remove(&depot->partial, slab);
    depot->slabs--;
    slab_close(slab); // under the lock, so that depot_purge_slab no longer finds it in the class
    slab->next = leaving->first;
    leaving->first = page_map_index(slab);
}

// Returns one block to its slab; a slab that becomes empty and is not kept is leaving.
static void put_home_locked(struct depot *depot, unsigned sc, void *block, struct leaving *leaving)
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
        leave_locked(depot, slab, leaving);
        return;
    }
    if (size_class_is_single(sc)) {
        leave_locked(depot, slab, leaving); // magazines already keep as many as pays
        return;
    }
    uint32_t index = page_map_index(slab);
    uint32_t kept = depot->empty;
    if (kept == 0 || index < kept) { // free the higher one: it may be what holds up the break
        depot->empty = index;
    }
    if (kept != 0) {
        leave_locked(depot, page_map_entry(index < kept ? kept : index), leaving); // DEPOT-3
    }
}

// A class that has shrunk keeps no empty slab either: it may be what holds up the break.
static void leave_kept_locked(struct depot *depot, unsigned sc, struct leaving *leaving)
{
    if (depot->empty != 0 && depot->had_many && !is_large_locked(depot, sc)) {
        leave_locked(depot, page_map_entry(depot->empty), leaving);
        depot->empty = 0;
    }
}

// Returns the blocks of a list to their slabs.
static void send_home_locked(struct depot *depot, unsigned sc, list_word list,
                             struct leaving *leaving)
{
    depot->out -= list_count(list);
    while (!list_is_empty(list)) {
        void *block = list_first(list);
        if (UNLIKELY(page_map_find(block) == 0) || UNLIKELY(!list_is_sound(list))) {
            slab_complain(block, t_thread.caller);
        }
        list = list_link(block);
        put_home_locked(depot, sc, block, leaving);
    }
}

// Drains the oldest `count` magazines to their slabs.
static void send_oldest_locked(struct depot *depot, unsigned sc, unsigned count,
                               struct leaving *leaving)
{
    for (unsigned i = 0; i < count; i++) {
        list_word list = magazines_of(depot)[i];
        depot->blocks -= list_count(list);
        depot->out += list_count(list);
        send_home_locked(depot, sc, list, leaving);
    }
    for (unsigned i = count; i < depot->count; i++) {
        magazines_of(depot)[i - count] = magazines_of(depot)[i];
    }
    depot->count -= count;
    depot->low = (uint32_t)min_size(depot->low, depot->count);
}

// Without the lock held.
static void free_leaving(struct leaving leaving)
{
    while (leaving.first != 0) {
        uint32_t index = leaving.first;
        struct chunk *slab = page_map_entry(index);
        leaving.first = slab->next;
        (leaving.is_late ? page_heap_free_late : page_heap_free)(index, slab->length);
    }
}

// `low` magazines were needed by no refill since the last sweep.
void depot_sweep(unsigned sc)
{
    struct depot *depot = &g_depot.of[sc];
    struct leaving leaving = {0};
    lock_acquire(&depot->lock);
    send_oldest_locked(depot, sc, depot->low, &leaving);
    depot->low = depot->count;
    adapt_locked(depot, sc);
    lock_release(&depot->lock);
    free_leaving(leaving);
}

// ---- fetch ----

static list_word take_magazine_locked(struct depot *depot)
{
    list_word list = magazines_of(depot)[--depot->count];
    depot->blocks -= list_count(list);
    depot->out += list_count(list);
    depot->low = (uint32_t)min_size(depot->low, depot->count);
    return list;
}

// Takes the free list of a slab, or carves its next blocks.
static list_word take_blocks_locked(struct depot *depot, struct chunk *slab, bool *is_clean)
{
    if (page_map_index(slab) == depot->empty) {
        depot->empty = 0;
    }
    list_word list = list_is_empty(slab->free) ? slab_carve(slab, is_clean) : slab_take(slab);
    if (!slab_has_blocks(slab)) {
        slab_list_remove(&depot->partial, slab); // DEPOT-1
    }
    depot->out += list_count(list);
    return list;
}

// Collects a slab with inherited blocks that this child of a fork freed; NULL: there is none.
static struct chunk *collect_locked(struct depot *depot, unsigned sc)
{
    struct chunk *slab = inherited_find(sc);
    if (slab != NULL) {
        bool is_listed = slab_has_blocks(slab);
        inherited_collect(slab);
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
    if (UNLIKELY(depot->had_many) && !is_large_locked(depot, sc) && ++depot->fetches >= least) {
        depot->had_many = false; // it grows again
        adapt_locked(depot, sc);
    }
    lock_release(&depot->lock);
    return list_is_empty(taken.list) ? take_fresh(depot, sc) : taken;
}

// ---- return ----

// True if a list is to be drained at once, rather than an older magazine: its blocks are still in
// the CPU's caches.
static bool goes_home_locked(const struct depot *depot, unsigned sc, list_word list)
{
    if (!depot->had_many) {
        return false;
    }
    unsigned count = list_count(list);
    bool is_short = count < depot_magazine_blocks(sc) / 2; // not worth an entry
    return is_short || depot->blocks + count > blocks_max_locked(depot, sc);
}

// How many of the oldest magazines to drain: none until they hold twice as much as they may.
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
    *newest = list_push(*newest, block);
    depot->blocks++;
    depot->out--;
    return true;
}

bool depot_return(unsigned sc, list_word list)
{
    struct depot *depot = &g_depot.of[sc];
    struct leaving leaving = {0};
    if (list_is_empty(list)) {
        return false;
    }
    lock_acquire(&depot->lock);
    if (list_count(list) == 1 && !depot->had_many &&
        add_to_newest_locked(depot, sc, list_first(list))) {
        lock_release(&depot->lock);
        return false;
    }
    leaving.is_late = sc >= MEDIUM_END && depot->had_many && !is_large_locked(depot, sc);
    if (goes_home_locked(depot, sc, list)) {
        send_home_locked(depot, sc, list, &leaving);
    } else {
        if (depot->count == DEPOT_MAGAZINES) {
            send_oldest_locked(depot, sc, DEPOT_MAGAZINES / 2, &leaving);
        }
        magazines_of(depot)[depot->count++] = list;
        depot->blocks += list_count(list);
        depot->out -= list_count(list);
    }
    send_oldest_locked(depot, sc, too_many_locked(depot, sc), &leaving);
    adapt_locked(depot, sc);
    leave_kept_locked(depot, sc, &leaving);
    lock_release(&depot->lock);
    free_leaving(leaving);
    return leaving.first != 0;
}

void depot_mark(struct chunk *slab, void *block)
{
    unsigned sc = slab->sc;
    struct depot *depot = &g_depot.of[sc];
    struct leaving leaving = {0};
    lock_acquire(&depot->lock);
    if (!inherited_mark(slab, slab_block_index(slab, block))) {
        fatal_double_free(block, size_class_bytes(sc), t_thread.caller);
    }
    depot->out--;
    if (slab_free_count(slab) + inherited_count(slab) == slab->carved) {
        if (!slab_has_blocks(slab)) {
            slab_list_insert(&depot->partial, slab);
        }
        leave_locked(depot, slab, &leaving);
    }
    adapt_locked(depot, sc);
    lock_release(&depot->lock);
    free_leaving(leaving);
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
    lock_acquire(&depot->lock);
    if (chunk_state(slab) == CHUNK_SLAB && slab->sc == sc) {
        unsigned out = slab_out_count(slab);
        if (out != 0 && out <= out_max && (slab->looked_at == 0 || out < slab->looked_at)) {
            slab->looked_at = (uint8_t)out;
            purged = slab_purge_pages(slab);
        }
    }
    lock_release(&depot->lock);
    return purged;
}

static size_t trim_class(unsigned sc, bool purges)
{
    struct depot *depot = &g_depot.of[sc];
    struct leaving leaving = {0};
    size_t purged = 0;
    lock_acquire(&depot->lock);
    send_oldest_locked(depot, sc, depot->count, &leaving);
    if (depot->empty != 0) {
        leave_locked(depot, page_map_entry(depot->empty), &leaving);
        depot->empty = 0;
    }
    for (uint32_t i = depot->partial; purges && i != 0; i = page_map_entry(i)->next) {
        purged += slab_purge_pages(page_map_entry(i));
    }
    adapt_locked(depot, sc);
    lock_release(&depot->lock);
    free_leaving(leaving);
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

// ---- inspection ----

static bool is_among(list_word list, const void *block, unsigned most)
{
    for (unsigned i = 0; i < most && !list_is_empty(list) && list_is_sound(list); i++) {
        if (list_first(list) == block) {
            return true;
        }
        list = list_link(list_first(list));
    }
    return false;
}

bool depot_holds(unsigned sc, const void *block, unsigned most)
{
    struct depot *depot = &g_depot.of[sc];
    lock_acquire(&depot->lock);
    bool holds = is_among(slab_of(block)->free, block, most);
    for (unsigned i = 0; i < depot->count && !holds; i++) {
        holds = is_among(magazines_of(depot)[i], block, most);
    }
    lock_release(&depot->lock);
    return holds;
}

struct depot_counts depot_counts(unsigned sc)
{
    struct depot *depot = &g_depot.of[sc];
    bool was_taken = lock_acquire_to_look(&depot->lock);
    struct depot_counts counts = {depot->slabs, depot->blocks};
    lock_release_after_look(&depot->lock, was_taken);
    return counts;
}

unsigned depot_look(unsigned sc, list_word *lists, unsigned most)
{
    const struct depot *depot = &g_depot.of[sc];
    unsigned count = (unsigned)min_size(depot->count, most);
    for (unsigned i = 0; i < count; i++) {
        lists[i] = magazines_of(depot)[i];
    }
    return count;
}

static void check_class(const struct depot *depot, unsigned sc)
{
    size_t blocks = 0;
    size_t empties = 0;
    for (unsigned i = 0; i < depot->count; i++) {
        blocks += list_count(magazines_of(depot)[i]);
    }
    VERIFY(blocks == depot->blocks);
    for (uint32_t i = depot->partial; i != 0; i = page_map_entry(i)->next) {
        const struct chunk *slab = page_map_entry(i);
        VERIFY(chunk_state(slab) == CHUNK_SLAB);
        VERIFY(slab->sc == sc);
        VERIFY(slab_has_blocks(slab)); // DEPOT-1
        empties += slab_is_idle(slab);
    }
    VERIFY(empties == (depot->empty != 0)); // DEPOT-3
    size_t out = 0;
    size_t slabs = 0;
    for (size_t i = 1; i < page_map_count(); i++) {
        const struct chunk *slab = page_map_entry(i);
        if (chunk_state(slab) == CHUNK_SLAB && slab->sc == sc) {
            VERIFY(slab_free_count(slab) <= slab->carved); // SLAB-1
            VERIFY(slab->carved <= slab_reached(slab));    // SLAB-2
            out += slab_out_count(slab) - inherited_count(slab);
            slabs++;
        }
    }
    VERIFY(slabs == depot->slabs);
    VERIFY(out == depot->out + depot->blocks); // DEPOT-2
}

void depot_check(void)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        check_class(&g_depot.of[sc], sc);
    }
}

void depot_each_lock(lock_visitor *visit)
{
    for (unsigned sc = 0; sc < CLASSES; sc++) {
        visit(&g_depot.of[sc].lock);
    }
}
