/* lock.c - a futex mutex: brief spinning, then sleep.
 *
 * Owns:       the three states of struct lock, and in debug builds the ranks this thread holds.
 * Threads:    any.
 * Locks:      is them.
 * Invariants: LOCK-1  ranks are taken in rising order (debug).
 *             LOCK-2  the word has SLEEPERS whenever somebody may sleep in the kernel.
 */
#include "base/lock.h"

#include "base/cpu.h"
#include "base/os.h"

// Some 200 ns: longer than our critical sections, shorter than a futex sleep.
#define SPINS    (CONFIG_TINY ? 1 : 100)
#define SLEEPERS 1U

// How many times a fork that must not wait for ever sleeps 1 ms, in all: far longer than a lock is
// held.
#define FORK_SLEEPS 10

static _Thread_local struct {
    uint16_t windows;    // forks inside each other: a signal handler may fork inside of fork
    uint16_t sleeps;     // left to this fork, when it is hasty
    bool is_hasty;       // waits no longer than that
    uint32_t held_ranks; // debug: bit r set while a lock of rank r is held
} t_lock;

// The calling thread in 31 bits, never 0: thread pointers lie at least 128 bytes apart. In the word
// itself, so that a signal handler sees at every instant whose the lock is.
static uint32_t self_word(void)
{
    return ((uint32_t)((uintptr_t)__builtin_thread_pointer() >> 5) & ~SLEEPERS) | 2U;
}

static bool is_own(const struct lock *lock)
{
    uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
    return (word & ~SLEEPERS) == self_word();
}

static void rank_push(uint32_t rank)
{
    VERIFY(t_lock.held_ranks >> rank == 0); // LOCK-1
    t_lock.held_ranks |= 1U << rank;
}

static void rank_pop(uint32_t rank)
{
    t_lock.held_ranks &= ~(1U << rank);
}

static void note_taken(const struct lock *lock)
{
    if (CONFIG_DEBUG) {
        rank_push(lock->rank);
    }
}

static bool take_free(struct lock *lock)
{
    uint32_t expected = 0;
    // acquire: pairs with the release in let_go
    return atomic_compare_exchange_strong_explicit(&lock->word, &expected, self_word(),
                                                   memory_order_acquire, memory_order_relaxed);
}

static NOINLINE void wait_for(struct lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 && take_free(lock)) {
            return;
        }
        cpu_relax();
    }
    // Who has slept takes the lock with the mark: others may sleep still.
    for (;;) {
        uint32_t word = 0;
        // acquire: pairs with the release in let_go
        if (atomic_compare_exchange_strong_explicit(&lock->word, &word, self_word() | SLEEPERS,
                                                    memory_order_acquire, memory_order_relaxed)) {
            return;
        }
        uint32_t marked = word | SLEEPERS; // LOCK-2
        if (word == marked ||
            atomic_compare_exchange_strong_explicit(&lock->word, &word, marked,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            os_futex_wait(&lock->word, marked);
        }
    }
}

static void let_go(struct lock *lock)
{
    // release: pairs with the acquire in take_free and wait_for
    uint32_t word = atomic_exchange_explicit(&lock->word, 0, memory_order_release);
    if (UNLIKELY((word & SLEEPERS) != 0)) {
        os_futex_wake(&lock->word);
    }
}

bool lock_in_fork_window(void)
{
    return UNLIKELY(t_lock.windows != 0);
}

void lock_init(struct lock *lock, enum lock_rank rank)
{
    lock->rank = (uint16_t)rank;
    lock->is_for_fork = false;
    atomic_store_explicit(&lock->word, 0, memory_order_relaxed);
}

void lock_acquire(struct lock *lock)
{
    if (lock_in_fork_window()) {
        return;
    }
    if (UNLIKELY(!take_free(lock))) {
        wait_for(lock);
    }
    note_taken(lock);
}

bool lock_try_acquire(struct lock *lock)
{
    if (lock_in_fork_window()) {
        return true;
    }
    if (!take_free(lock)) {
        return false;
    }
    note_taken(lock);
    return true;
}

void lock_release(struct lock *lock)
{
    if (lock_in_fork_window()) {
        return;
    }
    if (CONFIG_DEBUG) {
        rank_pop(lock->rank);
    }
    let_go(lock);
}

bool lock_acquire_to_look(struct lock *lock)
{
    bool takes = !is_own(lock);
    if (takes) {
        lock_acquire(lock);
    }
    return takes;
}

void lock_release_after_look(struct lock *lock, bool was_taken)
{
    if (was_taken) {
        lock_release(lock);
    }
}

// ---- fork ----

void lock_begin_fork(bool is_interrupted)
{
    t_lock.windows = 0;
    t_lock.is_hasty = is_interrupted;
    t_lock.sleeps = FORK_SLEEPS;
}

void lock_open_fork_window(void)
{
    t_lock.windows++;
}

bool lock_close_fork_window(void)
{
    if (t_lock.windows == 0) {
        return false;
    }
    return --t_lock.windows == 0;
}

bool lock_acquire_for_fork(struct lock *lock)
{
    if (is_own(lock)) {
        return false;
    }
    while (!take_free(lock)) {
        if (!t_lock.is_hasty) {
            wait_for(lock);
            break;
        }
        if (t_lock.sleeps == 0) {
            return false;
        }
        t_lock.sleeps--;
        os_sleep_ms(); // not on the lock: it must not take a wake that is meant for another
    }
    lock->is_for_fork = true;
    return true;
}

bool lock_is_held_for_fork(const struct lock *lock)
{
    return is_own(lock) && lock->is_for_fork;
}

void lock_release_after_fork(struct lock *lock)
{
    if (lock_is_held_for_fork(lock)) {
        lock->is_for_fork = false;
        let_go(lock);
    }
}
