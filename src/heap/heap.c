/* heap.c - refill, slab events, foreign lists of one thread.
 *
 * Owns:       the small slabs whose owner is this heap, and the bins bound to it.
 * Threads:    the owner, with heap->busy set.
 * Locks:      takes none itself; mail, pool, transfer and arena below take theirs.
 * Invariants: HEAP-1  only a wholly carved slab with an empty list becomes FULL.
 * States:     FREE -> ACTIVE (fresh);  ACTIVE -> FULL (retire);  FULL -> PARTIAL (an eighth is
 *             back);  PARTIAL -> ACTIVE (chosen);  PARTIAL -> FREE (all back);
 *             PARTIAL -> POOLED (dissolve);  POOLED -> ACTIVE;
 *             FULL -> FREE by the thread that returns the last block (mail.c).
 */
#include "heap/heap.h"

#include "arena/arena.h"
#include "heap/mail.h"
#include "heap/partial.h"
#include "heap/pool.h"
#include "heap/slab.h"
#include "heap/transfer.h"
#include "heap/watch.h"

#include <string.h>

#define EMPTIES_MAX   2  // empty slabs a heap keeps, one per class at most
#define MANY_SLABS    8  // of a class: from here on an idle active slab is worth giving back
#define CARVE_BLOCKS  16 // at least, in one go, where a class has many slabs
#define FEW_SLABS     2  // of a class that had many: nearly all of it was freed
#define FOREIGN_LEAST (CONFIG_TINY ? 1 : 8) // blocks of other threads worth a refill of their own
#define TICK_PERIOD   64                    // refills between two looks at the clock
#define SWEEP_PERIOD  64 // retired slabs of a class between two sweeps of its transfer pool

static struct {
    _Atomic(bool) has_inherited; // [atomic] some heap is_inherited, or was
} g_heap;

void heap_set_inherited(struct heap *heap, bool is_inherited)
{
    heap->is_inherited = is_inherited;
    if (is_inherited) {
        atomic_store_explicit(&g_heap.has_inherited, true, memory_order_relaxed);
    }
}

COLD void heap_init(struct heap *heap)
{
    memset(heap, 0, sizeof *heap);
    lock_init(&heap->mail_lock, LOCK_MAIL);
}

// ---- slabs that change state ----

static void slab_give(struct granule *slab)
{
    slab_close(slab);
    arena_give(granule_map_index(slab), 1);
}

static void slab_give_own(struct heap *heap, struct granule *slab)
{
    heap->opened[slab->class]--;
    slab_give(slab);
}

// A PARTIAL slab whose blocks are all back: kept, or given to the arena. Of two the lower one is
// kept: the upper one may be what keeps the break up.
static void slab_emptied(struct heap *heap, struct granule *slab)
{
    unsigned class = slab->class;
    uint32_t index = granule_map_index(slab);
    struct granule *kept = granule_map_entry(heap->empty[class]);
    bool has_kept = heap->empty[class] != 0;
    if (has_kept ? index > heap->empty[class] : heap->empties >= EMPTIES_MAX) {
        partial_remove(heap, slab);
        slab_give_own(heap, slab);
        return;
    }
    if (has_kept) {
        partial_remove(heap, kept);
        slab_give_own(heap, kept);
    }
    slab_arm(slab, slab->carved, SLAB_ARM_NEVER);
    heap->empty[class] = index;
    heap->empties++; // PARTIAL-2
}

static unsigned wake_count(const struct granule *slab)
{
    unsigned eighth = slab_capacity(slab) / 8;
    return eighth != 0 ? eighth : 1;
}

// Blocks came back to a slab that is not active: moves it on and sets its next countdown.
static void slab_settle(struct heap *heap, struct granule *slab)
{
    unsigned free = slab_free_count(slab);
    if (granule_state(slab) == GRANULE_FULL) {
        if (free < wake_count(slab)) {
            slab_arm(slab, free, wake_count(slab) - free);
            return;
        }
        partial_insert(heap, slab);
    }
    if (free == slab->carved) {
        slab_emptied(heap, slab);
    } else {
        slab_arm(slab, free, slab->carved - free);
    }
}

static void deactivate(struct heap *heap, struct granule *slab)
{
    heap->active[slab->class] = NULL;
    partial_insert(heap, slab);
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

// Takes the blocks of the active slab out of the bin and puts them on its list again.
static void unload_bin(struct heap *heap, struct granule *slab)
{
    uintptr_t start = (uintptr_t)granule_map_address(granule_map_index(slab));
    struct list own = {NULL, NULL, 0};
    struct list rest = {NULL, NULL, 0};
    void *next = NULL;
    for (void *ptr = heap->bins[slab->class]; ptr != NULL; ptr = next) {
        next = block_next(ptr);
        list_append((uintptr_t)ptr - start < GRANULE_BYTES ? &own : &rest, ptr);
    }
    if (own.count != 0) {
        slab_put_list(slab, own.first, own.last, own.count);
    }
    if (rest.count != 0) {
        block_set_next(rest.last, NULL);
    }
    heap->bins[slab->class] = rest.first;
    heap->handed[slab->class] -= own.count;
}

// A class of many slabs has come down to a kept one and the active one. The latter, opened last,
// often lies at the end of the heap, and would keep the break up for the sake of a full bin.
static void class_shrunk(struct heap *heap, unsigned class)
{
    struct granule *slab = heap->active[class];
    if (slab != NULL) {
        unload_bin(heap, slab);
        if (!slab_is_idle(slab)) { // asked again when the last of its blocks is back
            slab_arm(slab, slab_free_count(slab), slab->carved - slab_free_count(slab));
            return;
        }
        deactivate(heap, slab);
        slab_settle(heap, slab);
    }
    heap->had_many &= ~(1U << class);
}

// True from the moment that a class has many slabs until it has come down to few.
static inline bool had_many(const struct heap *heap, unsigned class)
{
    return ((heap->had_many >> class) & 1) != 0;
}

// The countdown of an active slab: to the next free while the
// class is watched; to the last of its blocks where there were many slabs, but not where a handful
// of blocks goes in and out of one slab all the time.
static uint32_t active_countdown(const struct heap *heap, const struct granule *slab)
{
    if (UNLIKELY(watch_is_on(heap, slab->class))) {
        return 1;
    }
    return had_many(heap, slab->class) ? slab->carved : SLAB_ARM_NEVER;
}

void heap_slab_event(struct heap *heap, struct granule *slab)
{
    unsigned class = slab->class;
    if (granule_state(slab) == GRANULE_ACTIVE) {
        bool is_watched = slab->armed == 1; // else it was the last of the slab's blocks
        if (is_watched) {
            watch_free(heap, slab);
        }
        if (!slab_is_idle(slab) || (is_watched && !had_many(heap, class))) {
            slab_arm(slab, slab_free_count(slab), active_countdown(heap, slab));
            return;
        }
        // Every block is at home: the bin is empty.
        deactivate(heap, slab);
    }
    slab_settle(heap, slab);
    if (had_many(heap, class) && heap->opened[class] <= FEW_SLABS) {
        class_shrunk(heap, class);
    }
}

static void collect_mail(struct heap *heap, bool wait)
{
    unsigned count = 0;
    for (;;) {
        struct granule *slab = mail_collect(heap, wait, &count);
        if (slab == NULL) {
            return;
        }
        if (granule_state(slab) != GRANULE_ACTIVE) {
            slab_settle(heap, slab);
        }
    }
}

// The active slab of a class has nothing left to give: it sleeps until blocks come back.
static void heap_retire_active(struct heap *heap, unsigned class)
{
    struct granule *slab = heap->active[class];
    struct remote *remote = granule_map_remote(granule_map_index(slab));
    ASSERT(slab->carved == slab_capacity(slab)); // HEAP-1
    ASSERT(slab_free_count(slab) == 0);
    heap->active[class] = NULL;
    slab_arm(slab, 0, wake_count(slab));
    // seq_cst: see Sleepers in mail.c; pairs with send_locked
    atomic_store_explicit(&slab->state, GRANULE_FULL, memory_order_seq_cst);
    if (atomic_load_explicit(&remote->count, memory_order_seq_cst) != 0 &&
        mail_collect_slab(heap, slab) != 0) {
        slab_settle(heap, slab);
    }
}

// ---- blocks of other threads ----

// True when the block is home; false when the owner's mail is busy and we may not wait.
static bool send_home(struct mail_round *round, struct heap *heap, void *ptr, bool wait,
                      const void *caller)
{
    struct granule *slab = granule_map_entry(granule_map_find(ptr));
    if (heap != NULL && granule_owner(slab) == heap) {
        mail_round_end(round);
        block_set_next(ptr, slab->free);
        slab->free = ptr;
        if (--slab->left == 0) {
            heap_slab_event(heap, slab);
        }
        return true;
    }
    for (;;) {
        enum pool_result pooled = POOL_FREED;
        switch (mail_send(round, slab, ptr, wait)) {
        case MAIL_SENT:
            return true;
        case MAIL_BUSY:
            return false;
        case MAIL_DOUBLE:
            die_double_free(ptr, size_class_bytes(slab->class), caller);
        case MAIL_EMPTIED:
            slab_give(slab);
            return true;
        case MAIL_UNOWNED:
            pooled = pool_free_block(slab, ptr);
            break;
        }
        if (pooled == POOL_EMPTIED) {
            slab_give(slab);
        }
        if (pooled != POOL_CLAIMED) {
            return true;
        }
    }
}

static bool send_one_home(struct heap *heap, void *ptr, bool wait, const void *caller)
{
    struct mail_round round = {NULL};
    bool is_home = send_home(&round, heap, ptr, wait, caller);
    mail_round_end(&round);
    return is_home;
}

void heap_free_home(struct granule *slab, void *ptr, const void *caller)
{
    ASSERT(granule_is_small(slab));
    (void)slab;
    send_one_home(NULL, ptr, true, caller);
}

// Sends linked blocks home; those of busy owners come back, linked, when we may not wait.
static struct batch send_batch_home(struct heap *heap, struct batch batch, bool wait)
{
    struct batch kept = {NULL, 0};
    struct mail_round round = {NULL};
    void *next = NULL;
    for (void *ptr = batch.head; ptr != NULL; ptr = next) {
        next = block_next(ptr);
        if (!send_home(&round, heap, ptr, wait, heap->caller)) {
            block_set_next(ptr, kept.head);
            kept.head = ptr;
            kept.count++;
        }
    }
    mail_round_end(&round);
    return kept;
}

static unsigned foreign_limit(unsigned class)
{
    size_t blocks = FOREIGN_BYTES_MAX / size_class_bytes(class);
    return (unsigned)min_size(blocks, FOREIGN_BLOCKS_MAX);
}

// A foreign list that is long enough becomes a batch for others, or goes home.
static void foreign_flush(struct heap *heap, unsigned class, bool wait)
{
    struct foreign_list *list = &heap->foreign[class];
    struct batch batch = {list->head, list->count};
    if (batch.head == NULL) {
        return;
    }
    list->head = NULL;
    list->count = 0;
    if (!wait && transfer_put(class, batch)) {
        return;
    }
    batch = send_batch_home(heap, batch, wait);
    list->head = batch.head;
    list->count = batch.count;
}

static bool is_inherited(const struct granule *slab)
{
    const struct heap *owner = granule_owner(slab);
    return owner != NULL && owner->is_inherited;
}

void heap_free_foreign(struct heap *heap, struct granule *slab, void *ptr)
{
    unsigned class = slab->class;
    if (UNLIKELY(atomic_load_explicit(&g_heap.has_inherited, memory_order_relaxed)) &&
        is_inherited(slab) && send_one_home(heap, ptr, false, heap->caller)) {
        return;
    }
    struct foreign_list *list = &heap->foreign[class];
    block_set_next(ptr, list->head);
    list->head = ptr;
    if (++list->count >= foreign_limit(class)) {
        foreign_flush(heap, class, false);
    }
}

static void *foreign_take(struct heap *heap, unsigned class, unsigned *count)
{
    struct foreign_list *list = &heap->foreign[class];
    void *head = list->head;
    *count = list->count;
    list->head = NULL;
    list->count = 0;
    return head;
}

// Batches that nobody wants go home, so that their slabs can empty.
static void sweep_transfer(struct heap *heap, unsigned class)
{
    for (;;) {
        struct batch batch = transfer_take_stale(class);
        if (batch.head == NULL) {
            break;
        }
        batch = send_batch_home(heap, batch, false);
        if (batch.head != NULL && !transfer_put(class, batch)) {
            send_batch_home(heap, batch, true);
        }
    }
    transfer_sweep(class);
}

// ---- refill ----

static struct granule *open_fresh(struct heap *heap, unsigned class, bool may_grow)
{
    bool clean = false;
    if (UNLIKELY(watch_lists_is_on(heap))) {
        watch_lists(heap);
    }
    size_t index = may_grow ? arena_take(1, 1, &clean) : arena_take_without_growth(1, &clean);
    if (index == 0) {
        return NULL;
    }
    slab_open(index, class, heap);
    return granule_map_entry(index);
}

// The blocks at home of an active slab, else newly carved ones; NULL when it has neither.
static void *draw_list(const struct heap *heap, struct granule *slab, unsigned *count)
{
    if (slab->free != NULL) {
        return slab_take_list(slab, active_countdown(heap, slab), count);
    }
    unsigned least = heap->opened[slab->class] >= MANY_SLABS ? CARVE_BLOCKS : 1;
    void *list = slab_carve(slab, least, count);
    if (list != NULL) {
        slab_arm(slab, 0, active_countdown(heap, slab));
    }
    return list;
}

// The active slab is used up, or there is none: finds another one and takes its blocks.
static NOINLINE void *refill_from_new_slab(struct heap *heap, unsigned class, bool may_grow,
                                           unsigned *count)
{
    if (heap->active[class] != NULL) {
        heap_retire_active(heap, class);
        if (++heap->retired[class] % SWEEP_PERIOD == 0) {
            sweep_transfer(heap, class);
        }
    }
    collect_mail(heap, false);
    struct granule *slab = partial_take(heap, class);
    if (slab == NULL) {
        slab = pool_take(class, heap);
        if (slab == NULL) {
            slab = open_fresh(heap, class, may_grow);
        }
        if (slab == NULL) {
            return NULL;
        }
        heap->opened[class]++;
        heap->had_many |= (uint32_t)(heap->opened[class] >= MANY_SLABS) << class;
    }
    heap->active[class] = slab;
    return draw_list(heap, slab, count);
}

// In the order of what costs least. A few blocks of other threads wait until the own slab is used
// up: they lie beside blocks that those threads write to, and would share cache lines with them.
static void *refill_list(struct heap *heap, unsigned class, bool may_grow, unsigned *count)
{
    if (heap->foreign[class].count >= FOREIGN_LEAST) {
        return foreign_take(heap, class, count);
    }
    struct batch batch = transfer_take(class);
    if (batch.head != NULL) {
        *count = batch.count;
        return batch.head;
    }
    struct granule *slab = heap->active[class];
    if (slab != NULL) {
        void *list = draw_list(heap, slab, count);
        if (list == NULL) {
            list = foreign_take(heap, class, count);
        }
        if (list != NULL) {
            return list;
        }
    }
    return refill_from_new_slab(heap, class, may_grow, count);
}

// Fills the bin with a list and pops its first block.
static inline void *load_bin(struct heap *heap, unsigned class, void *list, unsigned count)
{
    void *next = block_next(list);
    if (UNLIKELY(next == list)) { // freed twice in a row
        die_double_free(list, size_class_bytes(class), heap->caller);
    }
    heap->bins[class] = next;
    heap->handed[class] += count;
    return list;
}

static NOINLINE void *refill_long(struct heap *heap, unsigned class, bool may_grow)
{
    unsigned count = 0;
    void *list = refill_list(heap, class, may_grow, &count);
    return list != NULL ? load_bin(heap, class, list, count) : NULL;
}

void *heap_refill(struct heap *heap, unsigned class, bool may_grow)
{
    ASSERT(heap->bins[class] == NULL);
    if (UNLIKELY(++heap->refills % TICK_PERIOD == 0)) {
        arena_tick(); // light activity is enough for memory to go back
    }
    struct granule *slab = heap->active[class];
    if (UNLIKELY(slab == NULL) || UNLIKELY(slab->free == NULL)) {
        return refill_long(heap, class, may_grow);
    }
    unsigned count;
    void *list = slab_take_list(slab, active_countdown(heap, slab), &count);
    if (UNLIKELY(count > slab->carved)) { // more came back than went out
        die_excess_free(list, size_class_bytes(class), heap->caller);
    }
    return load_bin(heap, class, list, count);
}

// ---- flush and dissolve ----

static void flush_bin(struct heap *heap, unsigned class)
{
    if (heap->active[class] != NULL && heap->bins[class] != NULL) {
        unload_bin(heap, heap->active[class]);
    }
    void *list = heap->bins[class];
    heap->bins[class] = NULL;
    for (void *ptr = list; ptr != NULL; ptr = block_next(ptr)) {
        heap->handed[class]--;
    }
    send_batch_home(heap, (struct batch){list, 0}, true);
}

// The active slab goes where its free blocks put it.
static void flush_active(struct heap *heap, unsigned class)
{
    struct granule *slab = heap->active[class];
    if (slab == NULL) {
        return;
    }
    if (slab_free_count(slab) == 0 && slab->carved == slab_capacity(slab)) {
        heap_retire_active(heap, class);
        return;
    }
    deactivate(heap, slab);
    slab_settle(heap, slab);
}

void heap_flush(struct heap *heap)
{
    for (unsigned class = 0; class < SMALL_CLASSES; class += 1) {
        flush_bin(heap, class);
        foreign_flush(heap, class, true);
    }
    collect_mail(heap, true);
    for (unsigned class = 0; class < SMALL_CLASSES; class += 1) {
        flush_active(heap, class);
        if (heap->empty[class] != 0) {
            struct granule *slab = granule_map_entry(heap->empty[class]);
            partial_remove(heap, slab);
            slab_give_own(heap, slab);
        }
    }
}

COLD size_t heap_purge_pages(struct heap *heap)
{
    size_t purged = 0;
    for (unsigned class = 0; class < SMALL_CLASSES; class += 1) {
        for (uint32_t i = heap->partial[class]; i != 0; i = granule_map_entry(i)->next) {
            struct granule *slab = granule_map_entry(i);
            purged += slab_purge_pages(slab);
            slab_arm(slab, slab->listed, slab->carved - slab->listed);
        }
    }
    return purged;
}

COLD void heap_drain_transfer(struct heap *heap)
{
    for (unsigned class = 0; class < SMALL_CLASSES; class += 1) {
        for (struct batch batch = transfer_take(class); batch.head != NULL;
             batch = transfer_take(class)) {
            send_batch_home(heap, batch, true);
        }
    }
}

COLD void heap_dissolve(struct heap *heap)
{
    collect_mail(heap, true);
    memset(heap->opened, 0, sizeof heap->opened);
    for (size_t i = 1; i < granule_map_count(); i++) {
        struct granule *slab = granule_map_entry(i);
        if (granule_owner(slab) != heap) {
            continue;
        }
        if (granule_state(slab) == GRANULE_PARTIAL) {
            partial_remove(heap, slab);
        }
        if (mail_disown(heap, slab)) {
            arena_give(i, 1);
        }
    }
}
