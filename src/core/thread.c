/* thread.c - the per-thread state, and the mark of a slow path.
 *
 * Owns:       all thread-locals of the library except those of base/lock.c.
 * Threads:    each its own.
 * Locks:      takes none.
 * Invariants: THREAD-1  `area` is set only while the kernel restarts the sequences of this thread.
 *             THREAD-2  while locks may be held, a signal handler sees THREAD_INSIDE, or sees that
 *                       they are held.
 */
#include "core/thread.h"

#include "base/check.h"
#include "core/emergency.h"

// Used by threads that are not bound yet, at the very beginning: only `rseq_cs` is ever written.
static ALIGNED(32) char g_no_area[RSEQ_AREA_BYTES] = {[0 ... RSEQ_AREA_BYTES - 1] = (char)0xff};

static_assert(offsetof(struct thread, fast_area) == THREAD_FAST_AREA, "vfork");
static_assert(offsetof(struct thread, area) == THREAD_AREA, "vfork");
static_assert(offsetof(struct thread, is_bound) == THREAD_IS_BOUND, "vfork");
static_assert(offsetof(struct thread, dummy) == THREAD_DUMMY, "vfork");

_Thread_local struct thread t_thread = {
    .fast_area = g_no_area,
    .dummy = {[0 ... RSEQ_AREA_BYTES - 1] = (char)0xff},
};

// Records a deferred free; it has a block of its own where the freed one must not be written to.
struct note {
    struct note *next;
    void *ptr;
};

// What the kernel pushes below an interrupted frame takes more: red zone, registers, siginfo.
#define SIGNAL_FRAME_BYTES_MIN 512
// After so many refusals with no lock held, slow paths are allowed again: a handler that reports a
// crash may never return, and code that runs deeper than a frame that is gone looks like a handler.
#define REFUSALS_MAX 50

// Counts the refusals at one mark. True: REFUSALS_MAX is reached.
static COLD bool is_refused_again(void)
{
    if (t_thread.refused_depth != t_thread.depth) {
        t_thread.refused_depth = t_thread.depth;
        t_thread.refusals = 0;
    }
    if (t_thread.refusals < REFUSALS_MAX) {
        t_thread.refusals++;
        return false;
    }
    return true;
}

// True if the slow path that set the mark has been left: the current frame is at the position of
// that one, or above it on the same stack; or handlers were refused often enough.
static COLD bool is_over(void)
{
    int32_t deeper = (int32_t)(t_thread.depth - (uint32_t)(uintptr_t)cpu_stack());
    bool is_restarted = t_thread.area != NULL || t_thread.own == NULL; // else mid-change of a slot
    return deeper <= SIGNAL_FRAME_BYTES_MIN || (is_restarted && is_refused_again());
}

NOINLINE COLD bool thread_end_mark(void)
{
    ASSERT(t_thread.inside != 0);
    if (lock_holds_any()) {
        return false;
    }
    if ((t_thread.inside & THREAD_INSIDE) == 0 || is_over()) {
        t_thread.inside = THREAD_DOUBTED; // THREAD-2
        t_thread.refusals = 0;
        return true;
    }
    return false;
}

NOINLINE COLD bool thread_enter_again(const void *caller)
{
    bool enters = thread_end_mark();
    if (enters) {
        t_thread.caller = caller;
        thread_mark();
        atomic_signal_fence(memory_order_seq_cst); // signal handlers see the mark first
    }
    return enters;
}

COLD void thread_defer_free(void *ptr, bool may_write)
{
    ASSERT(ptr != NULL);
    ASSERT(thread_is_inside()); // THREAD-2
    struct note *note = may_write ? ptr : emergency_allocate(sizeof *note, BLOCK_ALIGN_BYTES);
    if (note == NULL) {
        return; // no memory: the block is leaked
    }
    note->next = atomic_load_explicit(&t_thread.deferred, memory_order_relaxed);
    note->ptr = ptr;
    ASSERT(note->next != note);
    atomic_store_explicit(&t_thread.deferred, note, memory_order_relaxed);
}

COLD void *thread_take_deferred(void)
{
    ASSERT((t_thread.inside & THREAD_INSIDE) == 0);
    struct note *note = atomic_load_explicit(&t_thread.deferred, memory_order_relaxed);
    // A handler that interrupts here takes them all.
    while (note != NULL &&
           !atomic_compare_exchange_strong_explicit(&t_thread.deferred, &note, note->next,
                                                    memory_order_relaxed, memory_order_relaxed)) {
    }
    if (note == NULL) {
        return NULL;
    }
    void *ptr = note->ptr;
    ASSERT(ptr != NULL);
    if (note != ptr) { // the note has a block of its own
        emergency_free(note);
    }
    return ptr;
}

void thread_postfork_child(void)
{
    ASSERT(t_thread.area == NULL || t_thread.is_bound); // THREAD-1
    t_thread.record_thread = 0;
}
