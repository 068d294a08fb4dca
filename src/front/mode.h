/* mode.h - the features, for the rest of front: mode.c alone names them.
 *
 * What malloc and free ask on their slow paths stands in g_mode; the usual one asks is_plain, which
 * says that there is no feature to ask. A call of what is off answers as if it were not there.
 */
#ifndef FRONT_MODE_H
#define FRONT_MODE_H

#include "base/compiler.h"
#include "base/live.h"
#include "base/lock.h"
#include "core/census.h"
#include "core/finding.h"
#include "core/thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Written by mode_choose_paths, at the start and after mallopt changed an option.
struct mode {
    _Atomic(bool) is_plain;       // the allocator serves, and no option wants to see a malloc
    _Atomic(bool) frees_plainly;  // the same of free
    _Atomic(bool) is_hardened;    // harden:1 to 3: all blocks are of the hardened kinds
    _Atomic(bool) is_quick;       // and nothing else wants to see them
    _Atomic(bool) samples;        // guard:N: one malloc in N gets a block of its kind
    _Atomic(bool) is_recorded;    // record: each call is written to a trace
    _Atomic(bool) profiles;       // profile: mallocs are counted by bytes, some of them sampled
    _Atomic(bool) profiles_alone; // and nothing else wants to see them
    _Atomic(bool) follows;        // profile: frees may be those of samples, also when it has ended
    _Atomic(bool) looks;          // profile: slow paths ask whether somebody wants something of it
    _Atomic(bool) counts;         // live, stats: blocks of size classes, as they are handed out
};
extern HIDDEN struct mode g_mode;

// Starts the features that the options ask for, and chooses the paths. Under LOCK_START.
void mode_start(void);
// Chooses what malloc and free do first, by what the options want to see.
void mode_choose_paths(void);
// The part of the start that may allocate. Once, by the constructor. `purge`: gives everything free
// back, inside of a slow path.
COLD void mode_arm(bool (*purge)(void), bool (*trim)(size_t pad_bytes, const void *caller));

static inline bool mode_is_plain(void)
{
    // acquire: pairs with the release in mode_choose_paths, behind which everything has begun
    return LIKELY(atomic_load_explicit(&g_mode.is_plain, memory_order_acquire));
}

static inline bool mode_frees_plainly(void)
{
    return LIKELY(atomic_load_explicit(&g_mode.frees_plainly, memory_order_acquire)); // as above
}

static inline bool mode_is(const _Atomic(bool) *what)
{
    return UNLIKELY(atomic_load_explicit(what, memory_order_relaxed));
}

// ---- malloc ----

// Where is_quick: a block as a usual malloc gets it. NULL: take the long way.
void *mode_allocate_quick(size_t bytes, const void *caller);
// The same at a multiple of `alignment`, zero throughout.
void *mode_allocate_quick_aligned(size_t bytes, size_t alignment, const void *caller);
// Where samples: the sampled block whose turn it is, or a usual one that is at hand. NULL as above.
void *mode_allocate_sampled(size_t bytes, const void *caller);
// Where is_hardened, inside of a slow path: zero throughout, with `room` to grow. NULL without
// memory.
void *mode_allocate(size_t bytes, size_t room, size_t alignment);

// Counts a request for the heap profile; true: it is to be sampled.
NOINLINE COLD bool mode_wants_on(size_t bytes);
static inline bool mode_wants(size_t bytes)
{
    return mode_is(&g_mode.profiles) && mode_wants_on(bytes);
}

// mode_wants the other way round, where profiles: false: nothing was counted yet.
static inline bool mode_lets_pass(size_t bytes)
{
    int64_t left = t_thread.profile_left - (int64_t)bytes;
    if (UNLIKELY(left < 0)) {
        return false;
    }
    t_thread.profile_left = left;
    return true;
}

// Takes back what mode_lets_pass counted: the request is counted again on another way.
static inline void mode_uncount(size_t bytes)
{
    t_thread.profile_left += (int64_t)bytes;
}

// Inside of a slow path: the free of any block misses, so that samples need no span of their own.
COLD bool mode_samples_in_place(void);
// Notes a sampled block; NULL: there was none to be had.
COLD void mode_note(const void *ptr, size_t bytes, const void *caller);

// ---- free ----

// Where follows, before any free.
COLD void mode_forget(const void *ptr);

// Where is_quick, where samples: false: nothing was done, take the long way.
bool mode_free_quick(void *ptr, const void *caller);
bool mode_free_sampled(void *ptr, const void *caller);

// What stands at `ptr`: in a chunk of the region that belongs to a feature; in no chunk. False: not
// of a feature's.
COLD struct block mode_find_in_chunk(struct chunk *head, const void *ptr);
COLD bool mode_find(const void *ptr, struct block *block);
// Where is_hardened: of a huge mapping what the program sees, without guard pages.
COLD struct block mode_find_huge(const void *ptr);
size_t mode_huge_bytes(size_t mapped_bytes);
// The same: false: the block in use did not get `bytes`, or does not lie at such a multiple.
bool mode_is_like(const struct block *block, const void *ptr, size_t bytes, size_t alignment);

// A block of the hardened or sampled kinds, inside of a slow path.
void mode_free(const struct block *block, void *ptr, const void *caller);
// The block, perhaps moved; NULL when a copy is needed.
void *mode_resize(const struct block *block, void *ptr, size_t bytes, const void *caller);
// Where follows: calls `resize`, and moves the sample of the block to where it is then.
typedef void *mode_resizer(void *ptr, const struct block *block, size_t bytes, const void *caller);
COLD void *mode_resize_followed(mode_resizer *resize, void *ptr, const struct block *block,
                                size_t bytes, const void *caller);
// Gives back what waits; bytes.
size_t mode_trim(const void *caller);

// ---- those who look ----

enum mode_call { MODE_MALLOC, MODE_CALLOC, MODE_ALIGNED };
// Where is_recorded: after an allocation (NULL: it failed), before a free, after a realloc of `old`
// that began at `time`.
COLD void mode_record_allocation(enum mode_call call, size_t bytes, size_t alignment,
                                 const void *ptr);
COLD void mode_record_free(const void *ptr);
COLD void mode_record_realloc(uint64_t time, size_t bytes, const void *old, const void *ptr);

// Adds to a census what blocks of features there are.
void mode_count(struct census *census);
// Huge mappings that are free, but in quarantine, and their bytes.
void mode_count_quarantined(size_t *blocks, size_t *bytes);

NOINLINE COLD void mode_tick_on(void);
NOINLINE COLD void mode_peak_on(void);
// Refreshes the live page: after a refill, when the last time is long enough ago; before memory
// goes back to the page heap, when much more or less is in use than was seen. Answers requests of
// `myalloc profile`.
static inline void mode_tick(void)
{
    if (live_is_on() || mode_is(&g_mode.looks)) {
        mode_tick_on();
    }
}

static inline void mode_peak(void)
{
    if (live_is_on()) {
        mode_peak_on();
    }
}

// At the end of the process: the heap profile has something to write; writes it, leaks to `fd`.
COLD bool mode_has_report_on(void);
static inline bool mode_has_report(void)
{
    return mode_is(&g_mode.follows) && mode_has_report_on();
}
COLD void mode_report(int fd);

// At the end of the process: the last numbers of the live page.
void mode_show(void);

// ---- fork ----

// The locks of features, by rank: see fork.c.
extern HIDDEN lock_walker *const g_mode_locks[LOCK_RANKS];

// In the child of a fork, while it passes all locks.
void mode_postfork_child(void);

#endif
