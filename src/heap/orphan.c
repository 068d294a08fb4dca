/* orphan.c - heaps without a thread.
 *
 * Owns:       the list of all heaps and the stack of parked ones.
 * Threads:    any.
 * Locks:      LOCK_ORPHAN for the lists; a heap taken off the stack is worked on without it.
 * Invariants: ORPHAN-1  a parked heap has no bins bound and is flushed; an inherited one has no
 *                       bins bound.
 *             ORPHAN-2  heaps are never freed: next_heap, once set, stays.
 *
 * Last in, first out: the next thread gets the heap whose memory is warm, and whose live blocks
 * are most likely its own work: servers that replace their threads free locally.
 */
#include "heap/orphan.h"

#include "heap/bin.h"
#include "heap/harden.h"
#include "heap/heap.h"
#include "heap/mail.h"
#include "heap/medium.h"
#include "base/meta_alloc.h"

static struct {
    struct lock lock;
    _Atomic(struct heap *) first;   // [atomic] all heaps; written under LOCK_ORPHAN
    _Atomic(struct heap *) orphans; // [atomic] parked heaps; written under LOCK_ORPHAN
    struct heap *inherited;         // [lock: LOCK_ORPHAN] of forking threads, from before the fork
} g_orphan = {.lock = LOCK_INIT(LOCK_ORPHAN)};

static struct heap *load(_Atomic(struct heap *) *link)
{
    // acquire: pairs with the release in store
    return atomic_load_explicit(link, memory_order_acquire);
}

static void store(_Atomic(struct heap *) *link, struct heap *heap)
{
    // release: pairs with the acquire in load
    atomic_store_explicit(link, heap, memory_order_release);
}

static struct heap *orphan_pop(void)
{
    if (load(&g_orphan.orphans) == NULL) {
        return NULL;
    }
    lock_acquire(&g_orphan.lock);
    struct heap *heap = load(&g_orphan.orphans);
    if (heap != NULL) {
        store(&g_orphan.orphans, heap->next_orphan);
    }
    lock_release(&g_orphan.lock);
    return heap;
}

struct heap *orphan_adopt(void)
{
    struct heap *heap = orphan_pop();
    if (heap != NULL) {
        return heap;
    }
    heap = meta_alloc(sizeof *heap);
    if (heap == NULL) {
        return NULL;
    }
    heap_init(heap);
    medium_init(heap);
    lock_acquire(&g_orphan.lock);
    heap->next_heap = load(&g_orphan.first);
    store(&g_orphan.first, heap);
    lock_release(&g_orphan.lock);
    return heap;
}

void orphan_park(struct heap *heap)
{
    heap->bins = NULL; // ORPHAN-1
    lock_acquire(&g_orphan.lock);
    heap->next_orphan = load(&g_orphan.orphans);
    store(&g_orphan.orphans, heap);
    lock_release(&g_orphan.lock);
}

void orphan_inherit(struct heap *heap)
{
    heap->bins = NULL; // ORPHAN-1
    heap_set_inherited(heap, true);
    for (unsigned class = 0; class < SMALL_CLASSES; class ++) {
        bin_close(heap, class);
    }
    lock_acquire(&g_orphan.lock);
    heap->next_orphan = g_orphan.inherited;
    g_orphan.inherited = heap;
    lock_release(&g_orphan.lock);
}

// Flushes the inherited heaps and parks them.
static void park_inherited(void)
{
    lock_acquire(&g_orphan.lock);
    struct heap *heap = g_orphan.inherited;
    g_orphan.inherited = NULL;
    lock_release(&g_orphan.lock);
    while (heap != NULL) {
        struct heap *next = heap->next_orphan;
        heap->bins = heap->checked_bins; // empty
        heap_flush(heap);
        medium_flush(heap);
        heap_set_inherited(heap, false);
        orphan_park(heap);
        heap = next;
    }
}

bool orphan_dissolve_all(void)
{
    bool any = false;
    park_inherited();
    struct heap *done = NULL;
    for (struct heap *heap = orphan_pop(); heap != NULL; heap = orphan_pop()) {
        if (atomic_load_explicit(&heap->slabs, memory_order_relaxed) != 0) {
            heap_dissolve(heap);
            any = true;
        }
        heap->next_orphan = done;
        done = heap;
    }
    while (done != NULL) {
        struct heap *next = done->next_orphan;
        orphan_park(done);
        done = next;
    }
    return any;
}

struct heap *orphan_next_heap(const struct heap *heap)
{
    return heap == NULL ? load(&g_orphan.first) : heap->next_heap;
}

void orphan_adopt_after_fork(const struct heap *own)
{
    for (struct heap *heap = load(&g_orphan.first); heap != NULL; heap = heap->next_heap) {
        lock_init(&heap->mail_lock, LOCK_MAIL);
        if (heap == own || heap->bins == NULL || (heap->busy & BUSY_INSIDE) != 0) {
            continue;
        }
        heap->busy = BUSY_INSIDE;
        heap_flush(heap);
        medium_flush(heap);
        if (heap->harden != NULL) {
            harden_flush(heap);
        }
        heap->busy = 0;
        orphan_park(heap);
    }
}

void orphan_hold(void) UNCHECKED_LOCKS
{
    lock_acquire(&g_orphan.lock);
}

void orphan_let_go(void) UNCHECKED_LOCKS
{
    lock_release(&g_orphan.lock);
}

void orphan_prefork(void)
{
    lock_acquire_for_fork(&g_orphan.lock);
    for (struct heap *heap = load(&g_orphan.first); heap != NULL; heap = heap->next_heap) {
        lock_acquire_for_fork(&heap->mail_lock);
    }
}

void orphan_postfork_parent(void)
{
    for (struct heap *heap = load(&g_orphan.first); heap != NULL; heap = heap->next_heap) {
        lock_release_after_fork(&heap->mail_lock);
    }
    lock_release_after_fork(&g_orphan.lock);
}

void orphan_postfork_child(void)
{
    for (struct heap *heap = load(&g_orphan.first); heap != NULL; heap = heap->next_heap) {
        lock_init(&heap->mail_lock, LOCK_MAIL);
    }
    lock_init(&g_orphan.lock, LOCK_ORPHAN);
}
