/* sampled.c - guard:N: which block is sampled.
 *
 * Owns:       the sample_ fields of a thread.
 * Threads:    any, each only its own.
 * Locks:      takes none itself.
 * Invariants: SAMPLED-1  every block up to a page is equally likely to be sampled.
 *
 * While guard is on, malloc always misses (g_fast_bytes), so that each request can be counted;
 * frees take their fast path.
 */
#include "sampling/sampled.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/os.h"
#include "core/size_class.h"
#include "core/slot.h"
#include "sampling/guard.h"

// Draws the distance to the next sample: from 1 to twice the mean.
static NOINLINE void draw(void)
{
    ASSERT(g_guard.every != 0);
    if (t_thread.sample_random == 0) {
        t_thread.sample_random = os_random() | 1;
    }
    uint64_t random = xorshift_next(&t_thread.sample_random) >> 1;
    t_thread.sample_left = (int64_t)(random % (2 * g_guard.every)) + 1;
    ASSERT(t_thread.sample_left > 0);
}

static NOINLINE void *take_sample(size_t bytes, const void *caller)
{
    ASSERT(bytes <= os_page_bytes());
    bool is_first = t_thread.sample_random == 0;
    draw();
    if (is_first || !thread_enter(caller)) { // is_first: the thread has just begun to count
        return NULL;
    }
    void *ptr = guard_allocate(bytes, t_thread.sample_random, caller);
    thread_leave();
    return ptr;
}

void *sampled_allocate_usual(size_t bytes, const void *caller)
{
    if (UNLIKELY(bytes > MEDIUM_BYTES_MAX)) {
        return NULL;
    }
    if (UNLIKELY(--t_thread.sample_left < 0) && bytes <= os_page_bytes()) {
        void *sample = take_sample(bytes, caller);
        if (sample != NULL) {
            return sample;
        }
    }
    return slot_pop_restarted(size_class_of(bytes));
}

bool sampled_free_usual(void *ptr, const void *caller)
{
    ASSERT(ptr != NULL);
    size_t bytes;
    if (LIKELY(!guard_is_inside(ptr)) || guard_find(ptr, &bytes) == GUARD_INTERIOR) {
        return false;
    }
    if (!thread_enter(caller)) { // deferred; too short to be linked: leaked
        return bytes < THREAD_NOTE_BYTES;
    }
    guard_free(ptr, caller);
    thread_leave();
    return true;
}
