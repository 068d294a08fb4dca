/* thread.h - the per-thread state: access to the slot, and the mark of a slow path.
 *
 * The initial state of t_thread, as the loader creates it, is valid: `fast_area` is a dummy that
 * selects the empty slot, so both fast paths miss without a test. That covers code before
 * constructors, threads that we never saw, and the child of a vfork.
 *
 * A slow path is bracketed by thread_enter() and thread_leave(). A signal handler that interrupts
 * it and needs a slow path of its own gets emergency blocks, and its frees are deferred.
 *
 * A handler may leave by siglongjmp, or never return: then nobody clears the mark. So the mark
 * records the depth of the stack. While the thread holds no lock, a mark has expired once the stack
 * is less deep, or once a handler seems to stay (REFUSALS_MAX in thread.c). On another stack that
 * may be wrong: then two slow paths of one thread overlap, as those of two threads do.
 */
#ifndef CORE_THREAD_H
#define CORE_THREAD_H

#include "base/check.h"
#include "base/compiler.h"
#include "base/cpu.h"
#include "base/lock.h"
#include "core/rseq.h"
#include "core/thread_layout.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define THREAD_INSIDE  1U // a slow path has begun, and has not ended as far as we know
#define THREAD_DOUBTED 2U // a mark was cleared; from now on held locks are checked as well

struct note;
#define THREAD_NOTE_BYTES 16 // size of a note

struct thread {
    char *fast_area;                         // used by the fast paths: `area`, or a dummy
    char *area;                              // the registered rseq area; NULL: none
    struct slot *own;                        // slot of a thread without an area; NULL: none (yet)
    const void *caller;                      // caller of the slow path, for messages
    _Atomic(struct note *) deferred;         // frees by signal handlers during a slow path
    bool is_bound;                           // slot_open() has looked for an area
    uint8_t inside;                          // THREAD_INSIDE, THREAD_DOUBTED
    bool watches_exit;                       // owns a slot, and its exit is not watched yet
    bool is_dead;                            // without an area: its slot was returned at its exit
    uint8_t exit_rounds;                     // destructor rounds skipped
    uint8_t ticks;                           // refills, modulo 256
    uint8_t refusals;                        // of handlers, at the mark with `refused_depth`
    uint32_t record_thread;                  // its number in the trace; 0: none yet
    uint32_t depth;                          // stack address at the mark, lower half
    int64_t sample_left;                     // guard:N: blocks until the next sample
    uint64_t sample_random;                  // guard:N
    int64_t profile_left;                    // profile: bytes until the next sample
    uint64_t profile_random;                 // profile
    uint32_t profile_session;                // profile: the session that this thread counts for
    uint32_t refused_depth;                  // `depth` when handlers were last refused
    ALIGNED(32) char dummy[RSEQ_AREA_BYTES]; // an area whose id is -1
};
static_assert(sizeof(struct thread) <= 160, "small enough for the static TLS of a preload");

extern HIDDEN _Thread_local struct thread t_thread;

static inline void thread_mark(void)
{
    t_thread.depth = (uint32_t)(uintptr_t)cpu_stack();
    t_thread.inside |= THREAD_INSIDE; // THREAD-2
}

// Decides about a mark, or a thread with THREAD_DOUBTED. True: no slow path is interrupted, and the
// mark is cleared.
NOINLINE COLD bool thread_end_mark(void);

// The rest of thread_enter() when there is a mark or a doubt.
NOINLINE COLD bool thread_enter_again(const void *caller);

// Begins a slow path; false: this is a signal handler that interrupted one.
static inline bool thread_enter(const void *caller)
{
    ASSERT(t_thread.fast_area != NULL);
    if (UNLIKELY(t_thread.inside != 0)) {
        return thread_enter_again(caller);
    }
    ASSERT(t_thread.area == NULL || t_thread.is_bound); // THREAD-1
    t_thread.caller = caller;
    thread_mark();
    atomic_signal_fence(memory_order_seq_cst); // signal handlers see the mark first
    return true;
}

// For assertions: true inside a slow path.
static inline bool thread_is_inside(void)
{
    return t_thread.inside != 0;
}

static inline void thread_leave(void)
{
    ASSERT(thread_is_inside()); // THREAD-2
    atomic_signal_fence(memory_order_seq_cst);
    t_thread.inside &= (uint8_t)~THREAD_INSIDE;
}

// Brackets code that takes locks but allocates nothing; may be nested.
static inline bool thread_enter_bare(void)
{
    ASSERT(t_thread.area == NULL || t_thread.is_bound); // THREAD-1
    bool was_inside = (t_thread.inside & THREAD_INSIDE) != 0;
    if (!was_inside) {
        thread_mark();
    }
    atomic_signal_fence(memory_order_seq_cst);
    return was_inside;
}

static inline void thread_leave_bare(bool was_inside)
{
    ASSERT(thread_is_inside()); // THREAD-2
    atomic_signal_fence(memory_order_seq_cst);
    if (!was_inside) {
        t_thread.inside &= (uint8_t)~THREAD_INSIDE;
    }
}

// True in a signal handler that interrupted a slow path of this thread.
static inline bool thread_is_interrupted(void)
{
    return UNLIKELY(t_thread.inside != 0) && !thread_end_mark(); // doubted: a lock tells
}

// Defers a free by such a handler until the slow path ends. `may_write`: the block has 16 bytes
// that may be overwritten.
void thread_defer_free(void *ptr, bool may_write);
static inline bool thread_has_deferred(void)
{
    return UNLIKELY(atomic_load_explicit(&t_thread.deferred, memory_order_relaxed) != NULL);
}
// Takes one deferred block; NULL: no more. Called outside slow paths.
void *thread_take_deferred(void);

// Called in the child of a fork.
void thread_postfork_child(void);

#endif
