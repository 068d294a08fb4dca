/* lock.c - a futex mutex: brief spinning, then sleep.
 *
 * Owns:       the three states of struct lock, and in debug builds the ranks this thread holds.
 * Threads:    any.
 * Locks:      implements them.
 * Invariants: LOCK-1  locks are acquired in rising order of rank (debug).
 *             LOCK-2  the word has SLEEPERS whenever a thread may sleep in the kernel.
 *             LOCK-3  a signal handler of a thread that holds a lock sees `held` above 0.
 */
#include "base/lock.h"

#include "base/cpu.h"
#include "base/os.h"

// Some 200 ns: longer than most of our critical sections, shorter than a futex sleep.
#define SPINS    (CONFIG_TINY ? 1 : 100)
#define SLEEPERS 1UL

// How many times in all a fork that must not wait forever sleeps for 1 ms: far longer than a lock
// is held.
#define FORK_SLEEPS 10

static _Thread_local struct {
    uint16_t windows;    // nested forks: a signal handler may fork inside fork
    uint16_t sleeps;     // remaining for this fork, if it is hasty
    uint16_t held;       // locks, from before one is acquired until after its release; LOCK-3
    bool is_hasty;       // the fork waits no longer than `sleeps`
    uint16_t fork_rank;  // debug: rank of the last lock that the fork handled
    uint32_t held_ranks; // debug: bit r set while a lock of rank r is held
} t_lock;

// Identifies the calling thread by its thread pointer, which is unique and aligned. It is in the
// word itself, so that a signal handler always sees who holds the lock.
static uint64_t self_word(void)
{
    return (uint64_t)(uintptr_t)__builtin_thread_pointer();
}

// The futex word. If two successive holders have the same lower half, either the later one has
// SLEEPERS set as well, or the lock was free in between and its sleeper was woken: LOCK-2.
static _Atomic(uint32_t) *lower_half(struct lock *lock)
{
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lower half comes first");
    return (_Atomic(uint32_t) *)(uintptr_t)&lock->word; // NOLINT: a half of it
}

static bool is_own(const struct lock *lock)
{
    uint64_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
    return (word & ~SLEEPERS) == self_word();
}

static void rank_push(uint32_t rank)
{
    VERIFY(rank != LOCK_NONE);
    VERIFY(rank < LOCK_RANKS);
    VERIFY(t_lock.held_ranks >> rank == 0); // LOCK-1
    t_lock.held_ranks |= 1U << rank;
}

static void rank_pop(uint32_t rank)
{
    VERIFY(((t_lock.held_ranks >> rank) & 1) != 0); // it is held
    t_lock.held_ranks &= ~(1U << rank);
}

// LOCK-3: called before the lock is acquired, and after it is released.
static void count_held(int by)
{
    atomic_signal_fence(memory_order_seq_cst);
    ASSERT(t_lock.held != 0 || by > 0); // LOCK-3
    t_lock.held = (uint16_t)(t_lock.held + by);
    atomic_signal_fence(memory_order_seq_cst);
}

static void note_taken(const struct lock *lock)
{
    if (CONFIG_DEBUG) {
        rank_push(lock->rank);
    }
}

static bool take_free(struct lock *lock)
{
    ASSERT(lock->rank < LOCK_RANKS);
    uint64_t expected = 0;
    // acquire: pairs with the release in let_go
    return atomic_compare_exchange_strong_explicit(&lock->word, &expected, self_word(),
                                                   memory_order_acquire, memory_order_relaxed);
}

static NOINLINE void wait_for(struct lock *lock)
{
    ASSERT(t_lock.windows == 0);
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 && take_free(lock)) {
            return;
        }
        cpu_relax();
    }
    // A thread that may have slept takes the lock with the mark set: others may still be asleep.
    for (;;) {
        uint64_t word = 0;
        // acquire: pairs with the release in let_go
        if (atomic_compare_exchange_strong_explicit(&lock->word, &word, self_word() | SLEEPERS,
                                                    memory_order_acquire, memory_order_relaxed)) {
            return;
        }
        uint64_t marked = word | SLEEPERS; // LOCK-2
        if (word == marked ||
            atomic_compare_exchange_strong_explicit(&lock->word, &word, marked,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            count_held(-1); // nothing is held if a signal handler never returns here
            os_futex_wait(lower_half(lock), (uint32_t)marked);
            count_held(1);
        }
    }
}

static void let_go(struct lock *lock)
{
    ASSERT(lock->rank < LOCK_RANKS);
    // release: pairs with the acquire in take_free and wait_for
    uint64_t word = atomic_exchange_explicit(&lock->word, 0, memory_order_release);
    if (UNLIKELY((word & SLEEPERS) != 0)) {
        os_futex_wake(lower_half(lock));
    }
}

bool lock_in_fork_window(void)
{
    return UNLIKELY(t_lock.windows != 0);
}

void lock_init(struct lock *lock, enum lock_rank rank)
{
    ASSERT(rank != LOCK_NONE);
    ASSERT(rank < LOCK_RANKS);
    lock->rank = (uint16_t)rank;
    lock->is_for_fork = false;
    atomic_store_explicit(&lock->word, 0, memory_order_relaxed);
}

void lock_acquire(struct lock *lock)
{
    if (lock_in_fork_window()) {
        return;
    }
    ASSERT(!CONFIG_DEBUG || lock->rank != LOCK_NONE);
    count_held(1);
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
    ASSERT(!CONFIG_DEBUG || lock->rank != LOCK_NONE);
    count_held(1);
    if (!take_free(lock)) {
        count_held(-1);
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
    count_held(-1);
}

bool lock_holds_any(void)
{
    return t_lock.held != 0;
}

bool lock_is_mine(const struct lock *lock)
{
    return lock_in_fork_window() || is_own(lock);
}

bool lock_acquire_to_look(struct lock *lock)
{
    ASSERT(lock->rank < LOCK_RANKS);
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
    ASSERT(!is_interrupted || t_lock.windows == 0);
    t_lock.windows = 0;
    t_lock.is_hasty = is_interrupted;
    t_lock.sleeps = FORK_SLEEPS;
    t_lock.fork_rank = LOCK_NONE;
}

void lock_open_fork_window(void)
{
    ASSERT(t_lock.windows < UINT16_MAX);
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
    ASSERT(t_lock.windows == 0);
    if (CONFIG_DEBUG) {
        VERIFY(lock->rank != LOCK_NONE);
        VERIFY(lock->rank >= t_lock.fork_rank); // LOCK-1
        t_lock.fork_rank = lock->rank;
    }
    if (is_own(lock)) {
        return false;
    }
    while (!take_free(lock)) {
        if (!t_lock.is_hasty) {
            count_held(1); // while it waits only: signals are blocked during a fork
            wait_for(lock);
            count_held(-1);
            break;
        }
        if (t_lock.sleeps == 0) {
            return false;
        }
        t_lock.sleeps--;
        os_sleep_ms(1); // not on the lock: it must not consume a wake-up meant for another thread
    }
    lock->is_for_fork = true;
    return true;
}

bool lock_is_held_for_fork(const struct lock *lock)
{
    ASSERT(lock->rank < LOCK_RANKS);
    return is_own(lock) && lock->is_for_fork;
}

void lock_release_after_fork(struct lock *lock)
{
    ASSERT(t_lock.windows == 0);
    if (lock_is_held_for_fork(lock)) {
        lock->is_for_fork = false;
        let_go(lock);
    }
}

void lock_reset_after_fork(struct lock *lock)
{
    ASSERT(t_lock.windows == 0);
    lock->is_for_fork = false;
    atomic_store_explicit(&lock->word, 0, memory_order_relaxed);
}
