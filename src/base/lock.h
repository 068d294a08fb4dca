/* lock.h - a futex mutex, and the order of all locks.
 *
 * A thread may only acquire a lock whose rank is greater than that of every lock it holds; debug
 * builds check it. Like calls, locks go downwards through the layers.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include "base/check.h"
#include "base/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lock_rank {
    LOCK_NONE,
    LOCK_START,      // first use: start_once()
    LOCK_WRITER,     // one of the writers of a trace
    LOCK_SLOTS,      // opening slots, and keeping all threads out of them
    LOCK_DEPOT,      // one per size class: its magazines and slabs
    LOCK_HCACHE,     // one per CPU: its cache of slots, in hardened mode
    LOCK_GUARD,      // the records of sampled blocks, of guard:N
    LOCK_PROFILE,    // samples, sites and stacks of the heap profile
    LOCK_HSLAB,      // one per class: hardened slabs
    LOCK_POOLS,      // the list of the pools of include/myalloc.h
    LOCK_POOL,       // one per such pool that threads share
    LOCK_FILES,      // the files of myalloc_map_file
    LOCK_QUARANTINE, // the quarantine of large blocks, in hardened mode
    LOCK_HUGE,       // index and cache of mappings
    LOCK_BACKING,    // the file of backing:DIR
    LOCK_PAGE_HEAP,  // the region, its free spans and the break
    LOCK_META,       // memory for our own structures
    LOCK_LIVE,       // the table of regions in the live page; a leaf
    LOCK_RECORD,     // the next slot of the trace; a leaf
    LOCK_RANKS,
};

struct CAPABILITY lock {
    _Atomic(uint64_t) word; // [atomic] 0 free, else the holder; bit 0: a thread may sleep
    uint16_t rank;          // [const] enum lock_rank
    bool is_for_fork;       // [owner] taken by the handlers of a fork
};

// Only debug builds check ranks. Otherwise a free lock is all zero: it takes no page of the file,
// and none of memory until it is written.
#define LOCK_INIT(rank_)                                                                           \
    {                                                                                              \
        .word = 0, .rank = CONFIG_DEBUG ? (rank_) : LOCK_NONE                                      \
    }

void lock_init(struct lock *lock, enum lock_rank rank);

// Between the two (fork), the calling thread holds every lock: acquire and release do nothing. They
// may be nested. True: the outermost window closed.
void lock_open_fork_window(void);
bool lock_close_fork_window(void);
bool lock_in_fork_window(void); // true between the two, in this thread

void lock_acquire(struct lock *lock) ACQUIRES(lock) UNCHECKED_LOCKS;
// False at once if the lock is held: does not wait for a preempted thread.
bool lock_try_acquire(struct lock *lock) TRY_ACQUIRES(lock) UNCHECKED_LOCKS;
void lock_release(struct lock *lock) RELEASES(lock) UNCHECKED_LOCKS;

// True if the calling thread holds a lock, or is acquiring or releasing one; fork windows do not
// count. For signal handlers: if it is false, the thread may acquire locks.
bool lock_holds_any(void);

// True if the calling thread holds the lock, or is in a fork window. For assertions.
bool lock_is_mine(const struct lock *lock);

// For inspection, also in signal handlers: acquires the lock unless this thread already holds it.
bool lock_acquire_to_look(struct lock *lock) UNCHECKED_LOCKS;
void lock_release_after_look(struct lock *lock, bool was_taken) UNCHECKED_LOCKS;

// Called before the locks are acquired for a fork. If a signal handler that interrupted us forks
// (`is_interrupted`), its thread may hold a lock, or owe a wake-up for one, while others hold the
// locks that it needs. Such a fork does not wait forever, and proceeds without the locks that it
// does not get. Closes all windows; also called in the child, which starts afresh.
void lock_begin_fork(bool is_interrupted);
// True: acquired. False also if this thread already holds it.
bool lock_acquire_for_fork(struct lock *lock) UNCHECKED_LOCKS;
bool lock_is_held_for_fork(const struct lock *lock); // by lock_acquire_for_fork, in this thread
// Releases a lock that was acquired for the fork, and no other.
void lock_release_after_fork(struct lock *lock) UNCHECKED_LOCKS;
// In the child, which has one thread: frees the lock, whoever held it.
void lock_reset_after_fork(struct lock *lock);

// Calls `visit` with every lock of a module: front/fork.c walks a table of these, in rank order.
typedef void lock_visitor(struct lock *lock);
typedef void lock_walker(lock_visitor *visit);

#endif
