/* lock.c - a futex mutex: brief spinning, then sleep.
 *
 * Owns:       the three states of struct lock, and in debug builds the ranks this thread holds.
 * Threads:    any.
 * Locks:      is them.
 * Invariants: LOCK-1  ranks are taken in rising order (debug).
 *             LOCK-2  the word has LOCK_SLEEPERS whenever somebody may sleep in the kernel.
 */
#include "base/lock.h"

#include "base/os.h"

#define SPINS 100 // some 200 ns: longer than our critical sections, shorter than a futex sleep

_Atomic(void *) g_lock_fork_owner;

static _Thread_local uint32_t t_ranks; // debug: bit r set while a lock of rank r is held

void lock_init(struct lock *lock, enum lock_rank rank)
{
    lock->rank = (uint16_t)rank;
    lock->was_own = false;
    atomic_store_explicit(&lock->word, 0, memory_order_relaxed);
}

void lock_wait(struct lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 && lock_take_free(lock)) {
            return;
        }
        os_cpu_relax();
    }
    // Who has slept takes the lock with the mark: others may sleep still.
    for (;;) {
        uint32_t word = 0;
        // acquire: pairs with the release in lock_let_go
        if (atomic_compare_exchange_strong_explicit(&lock->word, &word, lock_self() | LOCK_SLEEPERS,
                                                    memory_order_acquire, memory_order_relaxed)) {
            return;
        }
        uint32_t marked = word | LOCK_SLEEPERS; // LOCK-2
        if (word == marked ||
            atomic_compare_exchange_strong_explicit(&lock->word, &word, marked,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            os_futex_wait(&lock->word, marked);
        }
    }
}

void lock_wake(struct lock *lock)
{
    os_futex_wake(&lock->word);
}

void lock_open_fork_window(void)
{
    atomic_store_explicit(&g_lock_fork_owner, __builtin_thread_pointer(), memory_order_relaxed);
}

void lock_close_fork_window(void)
{
    atomic_store_explicit(&g_lock_fork_owner, NULL, memory_order_relaxed);
}

void lock_rank_push(uint32_t rank)
{
    VERIFY(t_ranks >> rank == 0); // LOCK-1
    t_ranks |= 1U << rank;
}

void lock_rank_pop(uint32_t rank)
{
    t_ranks &= ~(1U << rank);
}

static bool is_own(const struct lock *lock)
{
    uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
    return (word & ~LOCK_SLEEPERS) == lock_self();
}

void lock_acquire_for_fork(struct lock *lock)
{
    lock->was_own = is_own(lock);
    if (!lock->was_own && !lock_take_free(lock)) {
        lock_wait(lock);
    }
}

void lock_release_after_fork(struct lock *lock)
{
    if (!lock->was_own) {
        lock_let_go(lock);
    }
    lock->was_own = false;
}
