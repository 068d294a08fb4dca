/* fork.c - fork with threads: every lock is taken in rank order before, and free in the child.
 *
 * Owns:       the fork window: from the last lock taken to the first one given back.
 * Threads:    the forking thread.
 * Locks:      all of them, in the order of enum lock_rank.
 * Invariants: FORK-1  in the window the forking thread may allocate: other libraries' handlers do.
 *             FORK-2  what was taken is given back by the outermost fork of a thread, in the
 *                     parent.
 *
 * Signals are held back while the locks are taken and given back: a handler that allocates then
 * would wait for its own thread. Inside the window it may, and may fork.
 *
 * A handler that interrupted us and forks holds perhaps a lock that others wait for, who hold what
 * the fork needs. It waits a little, then goes without. Its thread is inside, so that in the window
 * and in the child the handler gets emergency blocks and touches nothing that a lock protects.
 *
 * vfork and posix_spawn share our memory and run no handlers: nothing here looks at the pid.
 */
#include "front/fork.h"

#include "front/files.h"
#include "front/statistics.h"
#include "pages/backing.h"
#include "pages/huge.h"
#include "pages/span.h"
#include "base/lock.h"
#include "base/os.h"
#include "pool/basin.h"
#include "hardened/fence.h"
#include "profile/profile.h"
#include "sampling/guard.h"
#include "hardened/harden.h"
#include "hardened/rack.h"
#include "inspect/view.h"
#include "base/meta_alloc.h"
#include "base/options.h"
#include "trace/record.h"
#include "front/start.h"
#include "core/depot.h"
#include "core/inherited.h"
#include "core/slot.h"
#include "core/thread.h"

#include <pthread.h>

static void take_locks(void)
{
    start_prefork();
    record_prefork();
    slot_prefork();
    depot_prefork();
    if (g_harden.is_on) {
        harden_prefork();
    }
    if (g_guard.every != 0) {
        guard_prefork();
    }
    profile_prefork();
    if (g_harden.is_on) {
        rack_prefork();
    }
    basin_prefork();
    files_prefork();
    if (g_harden.is_on) {
        fence_prefork();
    }
    huge_prefork();
    backing_prefork();
    span_prefork();
    meta_alloc_prefork();
}

static void give_locks(void)
{
    meta_alloc_postfork_parent();
    span_postfork_parent();
    backing_postfork_parent();
    huge_postfork_parent();
    if (g_harden.is_on) {
        fence_postfork_parent();
    }
    files_postfork_parent();
    basin_postfork_parent();
    if (g_harden.is_on) {
        rack_postfork_parent();
    }
    profile_postfork_parent();
    if (g_guard.every != 0) {
        guard_postfork_parent();
    }
    if (g_harden.is_on) {
        harden_postfork_parent();
    }
    depot_postfork_parent();
    slot_postfork_parent();
    record_postfork_parent();
    start_postfork_parent();
}

static void prefork(void)
{
    uint64_t signals;
    os_signals_block(&signals);
    if (!lock_in_fork_window()) {
        lock_begin_fork(thread_is_interrupted());
        take_locks();
    }
    lock_open_fork_window(); // FORK-1
    os_signals_restore(&signals);
}

static void postfork_parent(void)
{
    uint64_t signals;
    os_signals_block(&signals);
    if (lock_close_fork_window()) { // FORK-2
        give_locks();
    }
    os_signals_restore(&signals);
}

static void postfork_child(void)
{
    uint64_t signals;
    os_signals_block(&signals);
    // In the window, where locks need no order: a signal handler inside of us may have forked.
    view_postfork_child();
    record_postfork_child(g_options.record);
    lock_begin_fork(false);
    meta_alloc_postfork_child();
    span_postfork_child();
    backing_postfork_child();
    huge_postfork_child();
    if (g_harden.is_on) {
        fence_postfork_child();
    }
    files_postfork_child();
    basin_postfork_child();
    if (g_harden.is_on) {
        rack_postfork_child();
    }
    profile_postfork_child();
    if (g_guard.every != 0) {
        guard_postfork_child();
    }
    if (g_harden.is_on) {
        harden_postfork_child();
    }
    depot_postfork_child();
    inherited_postfork_child();
    slot_postfork_child();
    start_postfork_child();
    thread_postfork_child();
    statistics_postfork_child();
    os_signals_restore(&signals);
}

void fork_register(void)
{
    pthread_atfork(prefork, postfork_parent, postfork_child);
}
