/* thread.c - binds a heap to a thread at its first request, parks it at its exit.
 *
 * Owns:       all thread-locals; the pthread key whose destructor tells us of exits.
 * Threads:    each its own t_cache.
 * Locks:      takes none; orphan.c below takes LOCK_ORPHAN.
 * Invariants: THREAD-1  heap->bins are t_cache.bins of exactly one thread, or checked_bins.
 *             THREAD-2  a dead thread binds no heap again; it borrows one for the time of a call.
 *             THREAD-3  while locks may be held, a signal handler sees is_inside, or the busy heap.
 */
#include "thread/thread.h"

#include "base/os.h"
#include "heap/bin.h"
#include "heap/guard.h"
#include "heap/harden.h"
#include "heap/heap.h"
#include "heap/medium.h"
#include "heap/orphan.h"
#include "base/options.h"

#include <limits.h>
#include <pthread.h>

// Destructors of other libraries still allocate and free in their rounds: we wait for the last.
#define EXIT_ROUNDS_SKIPPED (PTHREAD_DESTRUCTOR_ITERATIONS - 2)

_Thread_local struct thread_cache t_cache = {
    .self = THREAD_UNBOUND,
    .bins = {[0 ... SMALL_CLASSES - 1] = &list_end},
};

static struct {
    struct lock lock;
    _Atomic(bool) tried; // [atomic] to make the key
    bool has_key;        // [const] once tried
    pthread_key_t key;
} g_thread = {.lock = LOCK_INIT(LOCK_START)};

static struct heap *untag(struct heap *self)
{
    return (struct heap *)((uintptr_t)self & ~(uintptr_t)1); // NOLINT: the tag is ours
}

static void set_inside(bool is_inside)
{
    atomic_signal_fence(memory_order_seq_cst);
    t_cache.is_inside = is_inside; // THREAD-3
    atomic_signal_fence(memory_order_seq_cst);
}

// Takes the bins out of the reach of the fast path, on which a signal handler may be.
static void hide_bins(struct heap *heap)
{
    for (unsigned class = 0; class < SMALL_CLASSES; class ++) {
        heap->checked_bins[class] =
            __atomic_exchange_n(&t_cache.bins[class], (void *)&list_end, __ATOMIC_RELAXED);
    }
    heap->bins = heap->checked_bins;
}

void thread_flush(struct heap *heap)
{
    bool is_plain = heap->bins == t_cache.bins;
    if (is_plain) {
        hide_bins(heap);
    }
    heap_flush(heap);
    if (is_plain) {
        heap->bins = t_cache.bins;
    }
}

static void empty_and_park(struct heap *heap)
{
    heap->busy = BUSY_INSIDE;
    thread_flush(heap);
    medium_flush(heap);
    if (heap->harden != NULL) {
        harden_flush(heap);
    }
    heap->busy = 0;
    orphan_park(heap);
}

static void thread_exit(void *unused)
{
    (void)unused;
    if (t_cache.exit_rounds++ < EXIT_ROUNDS_SKIPPED) {
        pthread_setspecific(g_thread.key, &t_cache);
        return;
    }
    set_inside(true);
    struct heap *heap = untag(t_cache.self);
    t_cache.self = THREAD_UNBOUND;
    t_cache.is_dead = true; // THREAD-2
    if (heap != NULL) {     // else: the thread of a forked child that needed none
        empty_and_park(heap);
    }
    set_inside(false);
}

// Makes the key at the first call; false: no keys left, exits go unnoticed.
static bool has_key(void)
{
    if (!atomic_load_explicit(&g_thread.tried, memory_order_acquire)) { // pairs with the release
        lock_acquire(&g_thread.lock);
        if (!atomic_load_explicit(&g_thread.tried, memory_order_relaxed)) {
            g_thread.has_key = pthread_key_create(&g_thread.key, thread_exit) == 0;
            atomic_store_explicit(&g_thread.tried, true, memory_order_release);
        }
        lock_release(&g_thread.lock);
    }
    return g_thread.has_key;
}

bool thread_sees_exits(void)
{
    return g_thread.has_key;
}

// Hides the bins from the fast path and lets no owner match: both fast paths fail at once.
static void make_checked(struct heap *heap)
{
    hide_bins(heap);
    heap->is_checked = true;
    t_cache.self = (struct heap *)((uintptr_t)heap | 1); // NOLINT: the tag is ours
}

// A heap for this thread, which is_inside until it has one; a dead thread stays so.
static struct heap *thread_bind(void)
{
    set_inside(true);
    struct heap *heap = untag(t_cache.self);
    bool is_bound = heap != NULL; // by a signal handler, meanwhile
    heap = is_bound ? heap : orphan_adopt();
    if (heap == NULL || is_bound) {
        set_inside(false);
        return heap;
    }
    heap->bins = t_cache.bins; // THREAD-1
    heap->is_checked = false;
    heap->busy = g_guard.every != 0 ? BUSY_SAMPLED : 0;
    heap->is_borrowed = t_cache.is_dead;
    heap->leaves_slowly = t_cache.is_dead || g_guard.every != 0;
    if (t_cache.is_dead) {
        return heap;
    }
    atomic_store_explicit(&heap->thread_id, g_options.live != 0 ? os_thread_id() : 0,
                          memory_order_relaxed);
    t_cache.self = heap;
    if (g_options.perturb != 0 || record_is_on() || g_harden.is_on) {
        make_checked(heap);
    }
    set_inside(false);
    // The heap is bound: should these allocate, they find it.
    if (has_key()) {
        pthread_setspecific(g_thread.key, &t_cache);
    }
    return heap;
}

struct heap *thread_enter_slow(const void *caller)
{
    if (UNLIKELY(t_cache.is_inside)) {
        return NULL;
    }
    struct heap *heap = untag(t_cache.self);
    heap = heap != NULL ? heap : thread_bind();
    if (heap == NULL || (heap->busy & BUSY_INSIDE) != 0) {
        return NULL;
    }
    heap->busy |= BUSY_INSIDE;
    heap->caller = caller;
    atomic_signal_fence(memory_order_seq_cst); // signal handlers see `busy` first
    return heap;
}

void thread_leave_slow(struct heap *heap)
{
    if (heap->is_borrowed) {
        empty_and_park(heap); // THREAD-2
        set_inside(false);
        return;
    }
    atomic_signal_fence(memory_order_seq_cst);
    heap->busy &= BUSY_SAMPLED;
}

bool thread_enter_bare(void)
{
    bool was_inside = t_cache.is_inside;
    set_inside(true);
    return was_inside;
}

void thread_leave_bare(bool was_inside)
{
    set_inside(was_inside);
}

bool thread_is_interrupted(void)
{
    struct heap *heap = untag(t_cache.self);
    return t_cache.is_inside || (heap != NULL && (heap->busy & BUSY_INSIDE) != 0);
}

void thread_defer_free(void *ptr)
{
    if (g_harden.is_on) { // nothing is written into the block
        struct heap *heap = untag(t_cache.self);
        if (heap != NULL && harden_defer(heap, ptr)) {
            atomic_store_explicit(&t_cache.deferred, ptr, memory_order_relaxed); // something
        }
        return;
    }
    *(void **)ptr = atomic_load_explicit(&t_cache.deferred, memory_order_relaxed);
    atomic_store_explicit(&t_cache.deferred, ptr, memory_order_relaxed);
}

void *thread_take_deferred(void)
{
    void *ptr = atomic_load_explicit(&t_cache.deferred, memory_order_relaxed);
    if (UNLIKELY(g_harden.is_on) && ptr != NULL) {
        struct heap *heap = untag(t_cache.self);
        ptr = heap != NULL ? harden_take_deferred(heap) : NULL;
        if (ptr == NULL) {
            atomic_store_explicit(&t_cache.deferred, NULL, memory_order_relaxed);
        }
        return ptr;
    }
    // A handler that comes now takes them all.
    while (ptr != NULL &&
           !atomic_compare_exchange_strong_explicit(&t_cache.deferred, &ptr, *(void **)ptr,
                                                    memory_order_relaxed, memory_order_relaxed)) {
    }
    return ptr;
}

void thread_set_checked(void)
{
    struct heap *heap = thread_enter(NULL);
    if (heap == NULL) {
        return;
    }
    if (!heap->is_checked && heap == untag(t_cache.self)) {
        make_checked(heap);
    }
    thread_leave(heap);
}

// The only thread of a child goes on with the bins, but binds another heap when it needs one: the
// memory of the old one stays shared with the parent until the child is short of its own.
void thread_postfork_child(void)
{
    struct heap *heap = untag(t_cache.self);
    t_cache.record_thread = 0;
    if (thread_is_interrupted()) { // by the handler that forked: nothing shared may be touched
        return;
    }
    orphan_adopt_after_fork(heap);
    bool is_plain = heap != NULL && (heap->busy & BUSY_INSIDE) == 0 && !heap->is_checked;
    if (is_plain) {
        t_cache.self = THREAD_UNBOUND;
        orphan_inherit(heap);
    }
}
