/* lock.h - a futex mutex, and the order of all locks.
 *
 * A thread may only take a lock whose rank is greater than that of every lock it holds; debug
 * builds check it. Locks are taken downwards, as calls go.
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
    LOCK_SLOTS,      // which slots are open; nobody is in them while it keeps out
    LOCK_DEPOT,      // one per size class: its magazines and slabs
    LOCK_HCACHE,     // one per CPU: its cache of slots, in hardened mode
    LOCK_GUARD,      // the records of sampled blocks, of guard:N
    LOCK_PROFILE,    // samples, sites and stacks of the heap profile
    LOCK_HSLAB,      // one per class: hardened slabs
    LOCK_POOLS,      // the list of the pools of include/myalloc.h
    LOCK_POOL,       // one per such pool that threads share
    LOCK_FILES,      // the files of myalloc_map_file
    LOCK_QUARANTINE, // the quarantine of large blocks, in hardened mode
    LOCK_HUGE,       // registry and cache of mappings
    LOCK_BACKING,    // the file of backing:DIR
    LOCK_PAGE_HEAP,  // the region, its free spans and the break
    LOCK_META,       // memory for our own structures
    LOCK_LIVE,       // the table of regions in the live page; a leaf
    LOCK_RECORD,     // the next slot of the trace; a leaf
    LOCK_RANKS,
};

struct CAPABILITY lock {
    _Atomic(uint64_t) word; // [atomic] 0 free, else who holds it; bit 0 set: somebody sleeps
    uint16_t rank;          // [const] enum lock_rank
    bool is_for_fork;       // [owner] taken by the handlers of a fork
};

// Only debug builds look at ranks. Without, what holds free locks only is all zero: no page of the
// file, and of memory none until it is written.
#define LOCK_INIT(rank_)                                                                           \
    {                                                                                              \
        .word = 0, .rank = CONFIG_DEBUG ? (rank_) : LOCK_NONE                                      \
    }

void lock_init(struct lock *lock, enum lock_rank rank);

// Between the two, the calling thread holds every lock (fork): taking and giving do nothing. They
// may be nested. True: the outermost window closed.
void lock_open_fork_window(void);
bool lock_close_fork_window(void);
bool lock_in_fork_window(void); // this thread is between them

void lock_acquire(struct lock *lock) ACQUIRES(lock) UNCHECKED_LOCKS;
// False at once when somebody holds it: nobody waits for a preempted thread.
bool lock_try_acquire(struct lock *lock) TRY_ACQUIRES(lock) UNCHECKED_LOCKS;
void lock_release(struct lock *lock) RELEASES(lock) UNCHECKED_LOCKS;

// The calling thread holds a lock, or is about to take or to give it. Not of a fork window. What a
// signal handler sees: a thread for which this is false may take locks.
bool lock_holds_any(void);

// The calling thread holds it, if only as in a fork window. For assertions.
bool lock_is_mine(const struct lock *lock);

// For what only looks, in a signal handler too: takes the lock unless this very thread holds it.
bool lock_acquire_to_look(struct lock *lock) UNCHECKED_LOCKS;
void lock_release_after_look(struct lock *lock, bool was_taken) UNCHECKED_LOCKS;

// Before the locks are taken for a fork. A handler that interrupted us and forks may hold a lock
// (`is_interrupted`), or have been woken for one that others sleep for; and they may hold what it
// needs. Such a fork does not wait for ever, and goes without what it does not get.
// Closes all windows: also for the child, which begins anew.
void lock_begin_fork(bool is_interrupted);
// True: taken. Not what this very thread holds.
bool lock_acquire_for_fork(struct lock *lock) UNCHECKED_LOCKS;
bool lock_is_held_for_fork(const struct lock *lock); // taken so by this thread
// Gives back what was taken so, and nothing else.
void lock_release_after_fork(struct lock *lock) UNCHECKED_LOCKS;
// In the child, which is alone: free, whoever held it.
void lock_reset_after_fork(struct lock *lock);

// Calls `visit` with every lock of a module: front/fork.c walks a table of these, in rank order.
typedef void lock_visitor(struct lock *lock);
typedef void lock_walker(lock_visitor *visit);

#endif
