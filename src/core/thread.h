/* thread.h - what one thread has: the way to its slot, and the mark of a slow path.
 *
 * t_thread as the loader makes it is a legal state: `fast_area` is a dummy that selects the empty
 * slot, so both fast paths miss without a test. It holds before constructors, in threads that we
 * never saw, and in the child of a vfork.
 *
 * A slow path stands between thread_enter() and thread_leave(). A signal handler that comes
 * meanwhile and needs a slow path of its own gets emergency blocks, and its frees wait.
 *
 * A handler may leave by siglongjmp, or never end: then nobody takes the mark away. So it says
 * how deep the stack was when it was set. While the thread holds no lock, a mark is over when the
 * stack is not as deep any more, or when a handler seems to stay (REFUSALS_MAX in thread.c). That
 * may be wrong, on another stack: then two paths of one thread go on, as those of two threads do.
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

#define THREAD_INSIDE  1U // a slow path has begun, and is not over as far as we know
#define THREAD_DOUBTED 2U // a mark was taken away; from now on it is looked for locks, too

struct note;
#define THREAD_NOTE_BYTES 16 // what it takes

struct thread {
    char *fast_area;                         // what malloc and free follow: `area`, or a dummy
    char *area;                              // the rseq area, when the kernel knows it; NULL: none
    struct slot *own;                        // slot of a thread without an area; NULL: none (yet)
    const void *caller;                      // who called the slow path, for messages
    _Atomic(struct note *) deferred;         // frees by signal handlers inside of a slow path
    bool is_bound;                           // slot_open() has looked for an area
    uint8_t inside;                          // THREAD_INSIDE, THREAD_DOUBTED
    bool watches_exit;                       // its slot is its own, and its exit is not watched yet
    bool is_dead;                            // without an area: its slot was given back at its exit
    uint8_t exit_rounds;                     // destructor rounds that we let pass
    uint8_t ticks;                           // refills, modulo 256
    uint8_t refusals;                        // of handlers, for the mark with `refused_depth`
    uint32_t record_thread;                  // its number in the trace; 0: none yet
    uint32_t depth;                          // of the stack at the mark: lower half of its address
    int64_t sample_left;                     // guard:N: blocks until the next one that is sampled
    uint64_t sample_random;                  // guard:N
    int64_t profile_left;                    // profile: bytes until the next sample
    uint64_t profile_random;                 // profile
    uint32_t profile_session;                // profile: the one that this thread counts for
    uint32_t refused_depth;                  // the `depth` when they were refused
    ALIGNED(32) char dummy[RSEQ_AREA_BYTES]; // an area whose id is -1
};
static_assert(sizeof(struct thread) <= 160, "small enough for the static TLS of a preload");

extern HIDDEN _Thread_local struct thread t_thread;

static inline void thread_mark(void)
{
    t_thread.depth = (uint32_t)(uintptr_t)cpu_stack();
    t_thread.inside |= THREAD_INSIDE; // THREAD-2
}

// For who finds a mark, or a thread with THREAD_DOUBTED. True: no slow path is interrupted, and no
// mark is left.
NOINLINE COLD bool thread_end_mark(void);

// What thread_enter() does for these.
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

// For assertions: true in a slow path.
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

// Around what takes locks and allocates nothing; they may be nested.
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
    return UNLIKELY((t_thread.inside & THREAD_INSIDE) != 0) && !thread_end_mark();
}

// Keeps a block that such a handler frees until the slow path is over. `may_write`: into it, of
// which 16 bytes are there.
void thread_defer_free(void *ptr, bool may_write);
static inline bool thread_has_deferred(void)
{
    return UNLIKELY(atomic_load_explicit(&t_thread.deferred, memory_order_relaxed) != NULL);
}
// Takes one such block; NULL: no more. Called outside of slow paths.
void *thread_take_deferred(void);

// In the child of a fork.
void thread_postfork_child(void);

#endif
