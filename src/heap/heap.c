/* heap.c - refill and foreign lists of one thread.
 *
 * Owns:       the active slabs, and what the heap holds of other threads' blocks.
 * Threads:    the owner, with heap->busy set.
 * Locks:      takes none itself; mail, pool, transfer and page heap below take theirs.
 * Invariants: HEAP-1  only a wholly carved slab with an empty list becomes FULL.
 * States:     FREE -> ACTIVE (fresh);  ACTIVE -> FULL (retire);  FULL -> PARTIAL (an eighth is
 *             back);  PARTIAL -> ACTIVE (chosen);  PARTIAL -> FREE (all back);
 *             PARTIAL -> POOLED (dissolve);  POOLED -> ACTIVE;
 *             FULL -> FREE by the thread that returns the last block (mail.c).
 */
#include "heap/heap.h"

#include "pages/page_heap.h"
#include "heap/bin.h"
#include "heap/mail.h"
#include "heap/partial.h"
#include "heap/pool.h"
#include "heap/settle.h"
#include "heap/slab.h"
#include "heap/thin.h"
#include "heap/transfer.h"
#include "heap/watch.h"

#include <string.h>

#define MANY_SLABS    8  // of a class: from here on an idle active slab is worth giving back
#define CARVE_BLOCKS  16 // in one go: at least, of many slabs; at most, of a class's first one
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

void heap_init(struct heap *heap)
{
    memset(heap, 0, sizeof *heap);
    lock_init(&heap->mail_lock, LOCK_MAIL);
    bin_clear(heap->checked_bins);
}

static void collect_mail(struct heap *heap, bool wait)
{
    unsigned count = 0;
    for (;;) {
        struct chunk *slab = mail_collect(heap, wait, &count);
        if (slab == NULL) {
            return;
        }
        if (chunk_state(slab) != CHUNK_ACTIVE) {
            settle_slab(heap, slab);
        }
    }
}

// The active slab of a class has nothing left to give: it sleeps until blocks come back.
static void heap_retire_active(struct heap *heap, unsigned class)
{
    struct chunk *slab = heap->active[class];
    struct remote *remote = page_map_remote(page_map_index(slab));
    ASSERT(slab->carved == slab_capacity(slab)); // HEAP-1
    ASSERT(slab_free_count(slab) == 0);
    heap->active[class] = NULL;
    slab_arm(slab, 0, settle_wake_count(slab));
    // seq_cst: see Sleepers in mail.c; pairs with send_locked
    atomic_store_explicit(&slab->state, CHUNK_FULL, memory_order_seq_cst);
    if (atomic_load_explicit(&remote->count, memory_order_seq_cst) != 0 &&
        mail_collect_slab(heap, slab) != 0) {
        settle_slab(heap, slab);
    }
}

// ---- blocks of other threads ----

// True when the block is home; false when the owner's mail is busy and we may not wait.
static bool send_home(struct mail_round *round, struct heap *heap, void *ptr, bool wait,
                      const void *caller)
{
    struct chunk *slab = page_map_entry(page_map_find(ptr));
    if (heap != NULL && chunk_owner(slab) == heap) {
        mail_round_end(round);
        settle_block(heap, slab, ptr);
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
            fatal_double_free(ptr, size_class_bytes(slab->class), caller);
        case MAIL_EMPTIED:
            settle_give(slab);
            return true;
        case MAIL_UNOWNED:
            pooled = pool_free_block(slab, ptr);
            break;
        }
        if (pooled == POOL_EMPTIED) {
            settle_give(slab);
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

void heap_free_home(struct chunk *slab, void *ptr, const void *caller)
{
    ASSERT(chunk_is_small(slab));
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

static bool is_inherited(const struct chunk *slab)
{
    const struct heap *owner = chunk_owner(slab);
    return owner != NULL && owner->is_inherited;
}

void heap_free_foreign(struct heap *heap, struct chunk *slab, void *ptr)
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

static struct chunk *open_fresh(struct heap *heap, unsigned class, bool may_grow)
{
    bool clean = false;
    if (UNLIKELY(watch_lists_is_on(heap))) {
        watch_lists(heap);
    }
    size_t index =
        may_grow ? page_heap_take(1, 1, &clean) : page_heap_take_without_growth(1, &clean);
    if (index == 0) {
        return NULL;
    }
    slab_open(index, class, heap);
    if (clean) {
        thin_out(heap, CHUNK_BYTES);
    }
    return page_map_entry(index);
}

// The blocks at home of an active slab, else newly carved ones; NULL when it has neither.
static void *draw_list(const struct heap *heap, struct chunk *slab, unsigned *count)
{
    if (slab_first(slab) != NULL) {
        return slab_take_list(slab, settle_countdown(heap, slab), count);
    }
    unsigned slabs = heap->opened[slab->class];
    unsigned least = slabs >= MANY_SLABS ? CARVE_BLOCKS : 1;
    unsigned most = slabs > 1 ? SMALL_BLOCKS_MAX : heap->carves_one ? 1 : CARVE_BLOCKS;
    void *list = slab_carve(slab, least, most, count);
    if (list != NULL) {
        slab_arm(slab, 0, settle_countdown(heap, slab));
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
    struct chunk *slab = partial_take(heap, class);
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
    struct chunk *slab = heap->active[class];
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

static NOINLINE void *refill_long(struct heap *heap, unsigned class, bool may_grow)
{
    unsigned count = 0;
    void *list = refill_list(heap, class, may_grow, &count);
    return list != NULL ? bin_load(heap, class, list, count) : NULL;
}

void *heap_refill(struct heap *heap, unsigned class, bool may_grow)
{
    ASSERT(bin_first(heap, class) == NULL);
    if (UNLIKELY(++heap->refills % TICK_PERIOD == 0)) {
        page_heap_tick(); // light activity is enough for memory to go back
        watch_bin(heap, heap->refills / TICK_PERIOD % SMALL_CLASSES);
    }
    struct chunk *slab = heap->active[class];
    if (UNLIKELY(slab == NULL) || UNLIKELY(slab_first(slab) == NULL)) {
        return refill_long(heap, class, may_grow);
    }
    unsigned count;
    void *list = slab_take_list(slab, settle_countdown(heap, slab), &count);
    if (UNLIKELY(count > slab->carved)) { // more came back than went out
        fatal_excess_free(list, size_class_bytes(class), heap->caller);
    }
    return bin_load(heap, class, list, count);
}

// ---- flush and dissolve ----

static void flush_bin(struct heap *heap, unsigned class)
{
    bin_close(heap, class);
    if (heap->active[class] != NULL && bin_first(heap, class) != NULL) {
        bin_unload(heap, heap->active[class]);
    }
    void *list = bin_first(heap, class);
    heap->handed[class] -= bin_length(heap, class);
    bin_set_first(heap, class, NULL);
    send_batch_home(heap, (struct batch){list, 0}, true);
}

// The active slab goes where its free blocks put it.
static void flush_active(struct heap *heap, unsigned class)
{
    struct chunk *slab = heap->active[class];
    if (slab == NULL) {
        return;
    }
    if (slab_free_count(slab) == 0 && slab->carved == slab_capacity(slab)) {
        heap_retire_active(heap, class);
        return;
    }
    settle_deactivate(heap, slab);
    settle_slab(heap, slab);
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
        settle_give_empty(heap, class);
    }
}

COLD size_t heap_purge_pages(struct heap *heap)
{
    size_t purged = 0;
    for (unsigned class = 0; class < SMALL_CLASSES; class += 1) {
        for (uint32_t i = heap->partial[class]; i != 0; i = page_map_entry(i)->next) {
            purged += slab_purge_pages(page_map_entry(i));
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

void heap_dissolve(struct heap *heap)
{
    collect_mail(heap, true);
    memset(heap->opened, 0, sizeof heap->opened);
    for (size_t i = 1; i < page_map_count(); i++) {
        struct chunk *slab = page_map_entry(i);
        if (chunk_owner(slab) != heap) {
            continue;
        }
        if (chunk_state(slab) == CHUNK_PARTIAL) {
            partial_remove(heap, slab);
        }
        if (mail_disown(heap, slab)) {
            page_heap_give(i, 1);
        }
    }
}
