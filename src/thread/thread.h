/* thread.h - what one thread has at hand, and the way into the slow paths.
 *
 * t_cache as the loader makes it, is a legal state: the bins are empty and `self` is no heap, so
 * every first call takes a slow path. No test for it stands on the fast path; it holds before
 * constructors, in threads we never saw, and after a thread's exit.
 */
#ifndef THREAD_THREAD_H
#define THREAD_THREAD_H

#include "heap/heap_data.h"

#include "base/compiler.h"

#include <stdbool.h>

// `self` is compared with the owners of slabs, so two values must never equal one: that of a
// thread without a heap, and, with the lowest bit set, that of a heap in checked mode.
#define THREAD_UNBOUND ((struct heap *)1)

struct thread_cache {
    struct heap *self;         // what the owner of a slab is compared with
    void *bins[SMALL_CLASSES]; // free lists at hand
    _Atomic(void *) deferred;  // frees by signal handlers inside of a slow path
    bool is_dead;              // the heap was parked at the thread's exit
    bool is_inside;            // of a slow path without a bound heap: binding one, or dead
    uint32_t record_thread;    // its number in the trace; 0: none yet
    uint8_t exit_rounds;       // destructor rounds that we let pass
};
static_assert(sizeof(struct thread_cache) <= 320, "small enough for the static TLS of a preload");

extern HIDDEN _Thread_local struct thread_cache t_cache;

// The heap to work with in a slow path, marked busy; NULL: the thread has none (no memory), or was
// interrupted in the middle of a slow path by the signal handler that now calls.
NOINLINE struct heap *thread_enter_slow(const void *caller);
NOINLINE void thread_leave_slow(struct heap *heap);

// The usual case of thread_enter: a heap that is bound, not checked, not busy; else NULL.
static inline struct heap *thread_try_enter(const void *caller)
{
    struct heap *heap = t_cache.self;
    if (UNLIKELY(((uintptr_t)heap & 1) != 0) || UNLIKELY(heap->busy)) {
        return NULL;
    }
    heap->busy = BUSY_INSIDE;
    heap->caller = caller;
    atomic_signal_fence(memory_order_seq_cst); // signal handlers see `busy` first
    return heap;
}

static inline struct heap *thread_enter(const void *caller)
{
    struct heap *heap = thread_try_enter(caller);
    return LIKELY(heap != NULL) ? heap : thread_enter_slow(caller);
}

// Ends what thread_try_enter began.
static inline void thread_leave_own(struct heap *heap)
{
    atomic_signal_fence(memory_order_seq_cst);
    heap->busy = 0;
}

// Ends what thread_enter began.
static inline void thread_leave(struct heap *heap)
{
    if (UNLIKELY(heap->leaves_slowly)) {
        thread_leave_slow(heap);
    } else {
        thread_leave_own(heap);
    }
}

// heap_flush for the heap of this thread, which is busy.
void thread_flush(struct heap *heap);

// Around what takes locks without a heap: signal handlers are told. They may be nested.
bool thread_enter_bare(void);
void thread_leave_bare(bool was_inside);

// True in a signal handler that interrupted a slow path of this thread.
bool thread_is_interrupted(void);
// Keeps a block that such a handler frees until the slow path is over.
void thread_defer_free(void *ptr);
static inline bool thread_has_deferred(void)
{
    return atomic_load_explicit(&t_cache.deferred, memory_order_relaxed) != NULL;
}
// Takes one such block; NULL: no more. Called outside of slow paths.
void *thread_take_deferred(void);

// False: threads end without a word to us, and their bins with them.
bool thread_sees_exits(void);

// All requests of this thread take the slow path from now on (M_PERTURB).
void thread_set_checked(void);

// In the child of a fork.
void thread_postfork_child(void);

#endif
