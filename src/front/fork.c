/* fork.c - fork with threads: every lock is acquired in rank order before, and free in the child.
 *
 * Owns:       the fork window: from the last lock acquired to the first one released; the table of
 *             all locks.
 * Threads:    the forking thread.
 * Locks:      all of them, in the order of enum lock_rank.
 * Invariants: FORK-1  in the window the forking thread may allocate: other libraries' handlers do.
 *             FORK-2  the outermost fork of a thread releases the locks that were acquired, in the
 *                     parent.
 *
 * Signals are blocked while the locks are acquired and released: a handler that allocates then
 * would wait for its own thread. Inside the window it may allocate, and may fork.
 *
 * A handler that interrupted us and forks may hold a lock that other threads wait for while they
 * hold locks that the fork needs. It waits briefly, then goes on without them. Its thread is inside
 * a slow path, so that in the window and in the child the handler gets emergency blocks and touches
 * nothing that a lock protects.
 *
 * vfork and posix_spawn share our memory and run no handlers: nothing here looks at the pid.
 */
#include "front/fork.h"

#include "base/check.h"
#include "base/lock.h"
#include "base/meta_alloc.h"
#include "base/os.h"
#include "core/depot.h"
#include "core/inherited.h"
#include "core/slot.h"
#include "core/thread.h"
#include "front/files.h"
#include "front/mode.h"
#include "front/start.h"
#include "front/statistics.h"
#include "pages/backing.h"
#include "pages/huge.h"
#include "pages/span.h"

#include <pthread.h>

// By rank, so that they are acquired in rank order. The locks of features are in mode.c; LOCK_LIVE
// and LOCK_RECORD, leaves, protect nothing that the child continues to use.
static lock_walker *const g_walkers[LOCK_RANKS] = {
    [LOCK_START] = start_each_lock,    [LOCK_SLOTS] = slot_each_lock,
    [LOCK_DEPOT] = depot_each_lock,    [LOCK_FILES] = files_each_lock,
    [LOCK_HUGE] = huge_each_lock,      [LOCK_BACKING] = backing_each_lock,
    [LOCK_PAGE_HEAP] = span_each_lock, [LOCK_META] = meta_alloc_each_lock,
};

static void visit_each_lock(lock_visitor *visit)
{
    for (unsigned rank = LOCK_NONE; rank < LOCK_RANKS; rank++) {
        ASSERT(g_walkers[rank] == NULL || g_mode_locks[rank] == NULL);
        lock_walker *walk = g_walkers[rank] != NULL ? g_walkers[rank] : g_mode_locks[rank];
        if (walk != NULL) {
            ASSERT(rank != LOCK_NONE);
            walk(visit);
        }
    }
}

static void acquire(struct lock *lock)
{
    ASSERT(!lock_in_fork_window());
    lock_acquire_for_fork(lock); // or not: see above
}

static void prefork(void)
{
    uint64_t signals;
    os_signals_block(&signals);
    if (!lock_in_fork_window()) {
        lock_begin_fork(thread_is_interrupted());
        visit_each_lock(acquire);
        backing_prefork();
    }
    lock_open_fork_window();       // FORK-1
    ASSERT(lock_in_fork_window()); // FORK-1
    os_signals_restore(&signals);
}

static void postfork_parent(void)
{
    uint64_t signals;
    os_signals_block(&signals);
    if (lock_close_fork_window()) { // FORK-2
        visit_each_lock(lock_release_after_fork);
    }
    os_signals_restore(&signals);
}

static void postfork_child(void)
{
    uint64_t signals;
    os_signals_block(&signals);
    // In the window, where locks need no order: a handler that interrupted us may have forked.
    mode_postfork_child();
    lock_begin_fork(false);
    ASSERT(!lock_in_fork_window());
    visit_each_lock(lock_reset_after_fork);
    inherited_postfork_child();
    slot_postfork_child();
    thread_postfork_child();
    statistics_postfork_child();
    os_signals_restore(&signals);
}

void fork_register(void)
{
    pthread_atfork(prefork, postfork_parent, postfork_child);
}
