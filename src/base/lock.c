/* lock.c - a futex mutex: brief spinning, then sleep.
 *
 * Owns:       the three states of struct lock, and in debug builds the ranks this thread holds.
 * Threads:    any.
 * Locks:      is them.
 * Invariants: LOCK-1  ranks are taken in rising order (debug).
 *             LOCK-2  word is 2 whenever somebody may sleep in the kernel.
 */
#include "base/lock.h"

#include "base/os.h"

#define SPINS 100 // some 200 ns: longer than our critical sections, shorter than a futex sleep

_Atomic(void *) g_lock_fork_owner;

static _Thread_local uint32_t t_ranks; // debug: bit r set while a lock of rank r is held

void lock_init(struct lock *lock, enum lock_rank rank)
{
    lock->rank = rank;
    atomic_store_explicit(&lock->owner, NULL, memory_order_relaxed);
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
    // acquire: pairs with the release in lock_release
    while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0) { // LOCK-2
        os_futex_wait(&lock->word, 2);
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

void lock_acquire_for_fork(struct lock *lock)
{
    if (atomic_load_explicit(&lock->owner, memory_order_relaxed) == __builtin_thread_pointer()) {
        return;
    }
    if (!lock_take_free(lock)) {
        lock_wait(lock);
    }
}

void lock_release_after_fork(struct lock *lock)
{
    if (atomic_load_explicit(&lock->owner, memory_order_relaxed) == __builtin_thread_pointer()) {
        return;
    }
    // release: pairs with the acquire in lock_take_free and lock_wait
    if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2) {
        lock_wake(lock);
    }
}
