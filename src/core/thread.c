/* thread.c - what one thread has.
 *
 * Owns:       all thread-locals of the library but the window and ranks of base/lock.c.
 * Threads:    each its own.
 * Locks:      takes none.
 * Invariants: THREAD-1  `area` is set only while the kernel restarts the sequences of this thread.
 *             THREAD-2  while locks may be held, a signal handler sees is_inside.
 */
#include "core/thread.h"

#include "base/check.h"
#include "core/emergency.h"

// Any thread that was not bound yet, at the very beginning: nothing is written to but `rseq_cs`.
static ALIGNED(32) char g_no_area[RSEQ_AREA_BYTES] = {[0 ... RSEQ_AREA_BYTES - 1] = (char)0xff};

static_assert(offsetof(struct thread, fast_area) == THREAD_FAST_AREA, "vfork");
static_assert(offsetof(struct thread, area) == THREAD_AREA, "vfork");
static_assert(offsetof(struct thread, is_bound) == THREAD_IS_BOUND, "vfork");
static_assert(offsetof(struct thread, dummy) == THREAD_DUMMY, "vfork");

_Thread_local struct thread t_thread = {
    .fast_area = g_no_area,
    .dummy = {[0 ... RSEQ_AREA_BYTES - 1] = (char)0xff},
};

// A note of a deferred free, where nothing may be written into the block.
struct note {
    struct note *next;
    void *ptr;
};

void thread_defer_free(void *ptr, bool may_write)
{
    ASSERT(ptr != NULL);
    ASSERT(t_thread.is_inside); // THREAD-2
    struct note *note = may_write ? ptr : emergency_allocate(sizeof *note, BLOCK_ALIGN_BYTES);
    if (note == NULL) {
        return; // too many: it is forgotten
    }
    note->next = atomic_load_explicit(&t_thread.deferred, memory_order_relaxed);
    note->ptr = ptr;
    atomic_store_explicit(&t_thread.deferred, note, memory_order_relaxed);
}

void *thread_take_deferred(void)
{
    ASSERT(!t_thread.is_inside);
    struct note *note = atomic_load_explicit(&t_thread.deferred, memory_order_relaxed);
    // A handler that comes now takes them all.
    while (note != NULL &&
           !atomic_compare_exchange_strong_explicit(&t_thread.deferred, &note, note->next,
                                                    memory_order_relaxed, memory_order_relaxed)) {
    }
    return note != NULL ? note->ptr : NULL;
}

void thread_postfork_child(void)
{
    ASSERT(t_thread.area == NULL || t_thread.is_bound); // THREAD-1
    t_thread.record_thread = 0;
}
