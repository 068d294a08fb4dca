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
    LOCK_START,    // first use: start_once(), the key of thread exits
    LOCK_ORPHAN,   // the list of parked heaps
    LOCK_MAIL,     // one per heap: blocks coming home to its slabs
    LOCK_POOL,     // slabs without an owner
    LOCK_TRANSFER, // one per small class: batches between threads
    LOCK_MEDIUM,   // one per medium class: its slabs
    LOCK_BASINS,   // the list of the pools of include/myalloc.h
    LOCK_BASIN,    // one per such pool that threads share
    LOCK_FILES,    // the files of myalloc_map_file
    LOCK_HUGE,     // registry and cache of mappings
    LOCK_BACKING,  // the file of backing:DIR
    LOCK_RUN,      // the region, its free runs and the break
    LOCK_META,     // memory for our own structures; a leaf
    LOCK_LIVE,     // the table of regions in the live page; a leaf
    LOCK_RECORD,   // the next slot of the trace; a leaf
};

struct CAPABILITY lock {
    _Atomic(uint32_t) word; // 0 free, else who holds it; bit 0 set: somebody sleeps
    uint16_t rank;          // [const] enum lock_rank
    bool was_own;           // [owner] in a fork: held already when the handlers began
};

#define LOCK_INIT(rank_)                                                                           \
    {                                                                                              \
        .word = 0, .rank = (rank_)                                                                 \
    }
#define LOCK_SLEEPERS 1U

NOINLINE void lock_wait(struct lock *lock) UNCHECKED_LOCKS;
NOINLINE void lock_wake(struct lock *lock);
void lock_rank_push(uint32_t rank); // debug builds only
void lock_rank_pop(uint32_t rank);

void lock_init(struct lock *lock, enum lock_rank rank);

// The calling thread in 31 bits, never 0: thread pointers lie at least 64 bytes apart. In the word
// itself, so that a signal handler sees at every instant whose the lock is.
static inline uint32_t lock_self(void)
{
    return ((uint32_t)((uintptr_t)__builtin_thread_pointer() >> 5) & ~LOCK_SLEEPERS) | 2U;
}

// Between the two, the calling thread holds every lock (fork): taking and giving do nothing.
void lock_open_fork_window(void);
void lock_close_fork_window(void);
extern HIDDEN _Atomic(void *) g_lock_fork_owner; // [atomic] thread pointer; NULL: no window

static inline bool lock_in_fork_window(void)
{
    void *owner = atomic_load_explicit(&g_lock_fork_owner, memory_order_relaxed);
    return UNLIKELY(owner != NULL) && owner == __builtin_thread_pointer();
}

static inline bool lock_take_free(struct lock *lock)
{
    uint32_t expected = 0;
    // acquire: pairs with the release in lock_release
    return atomic_compare_exchange_strong_explicit(&lock->word, &expected, lock_self(),
                                                   memory_order_acquire, memory_order_relaxed);
}

static inline void lock_note_taken(const struct lock *lock)
{
    if (CONFIG_DEBUG) {
        lock_rank_push(lock->rank);
    }
}

static inline void lock_acquire(struct lock *lock) ACQUIRES(lock) UNCHECKED_LOCKS
{
    if (lock_in_fork_window()) {
        return;
    }
    if (UNLIKELY(!lock_take_free(lock))) {
        lock_wait(lock);
    }
    lock_note_taken(lock);
}

// False at once when somebody holds it: nobody waits for a preempted thread.
static inline bool lock_try_acquire(struct lock *lock) TRY_ACQUIRES(lock) UNCHECKED_LOCKS
{
    if (lock_in_fork_window()) {
        return true;
    }
    if (!lock_take_free(lock)) {
        return false;
    }
    lock_note_taken(lock);
    return true;
}

static inline void lock_let_go(struct lock *lock)
{
    // release: pairs with the acquire in lock_take_free and lock_wait
    uint32_t word = atomic_exchange_explicit(&lock->word, 0, memory_order_release);
    if (UNLIKELY((word & LOCK_SLEEPERS) != 0)) {
        lock_wake(lock);
    }
}

static inline void lock_release(struct lock *lock) RELEASES(lock) UNCHECKED_LOCKS
{
    if (lock_in_fork_window()) {
        return;
    }
    if (CONFIG_DEBUG) {
        lock_rank_pop(lock->rank);
    }
    lock_let_go(lock);
}

// For fork: takes the lock unless this very thread holds it (a signal handler that interrupted
// us and forks). The child sets locks free again by lock_init().
void lock_acquire_for_fork(struct lock *lock) UNCHECKED_LOCKS;
void lock_release_after_fork(struct lock *lock) UNCHECKED_LOCKS;

#endif
