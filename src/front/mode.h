/* mode.h - the features, for the rest of front: only mode.c names them.
 *
 * The slow paths of malloc and free read g_mode; the usual one reads is_plain, which says that no
 * feature is on. A call into a feature that is off behaves as if the feature did not exist.
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

// Written by mode_choose_paths, at startup and after mallopt changed an option.
struct mode {
    _Atomic(bool) is_plain;       // the allocator serves, and no option must see each malloc
    _Atomic(bool) frees_plainly;  // the same for free
    _Atomic(bool) is_hardened;    // harden:1 to 3: all blocks are of the hardened kinds
    _Atomic(bool) is_quick;       // and no other feature must see them
    _Atomic(bool) samples;        // guard:N: one malloc in N gets a guarded block
    _Atomic(bool) is_recorded;    // record: each call is written to a trace
    _Atomic(bool) profiles;       // profile: mallocs are counted by bytes, some of them sampled
    _Atomic(bool) profiles_alone; // and no other feature must see them
    _Atomic(bool) follows;        // profile: frees may be of samples, even after it has stopped
    _Atomic(bool) looks;          // profile: slow paths check for requests from outside
    _Atomic(bool) counts;         // live, stats: allocations are counted by size class
};
extern HIDDEN struct mode g_mode;

// Starts the features that the options select, and chooses the paths. Under LOCK_START.
void mode_start(void);
// Chooses the paths of malloc and free by which calls the options must see.
void mode_choose_paths(void);
// The part of the startup that may allocate. Once, by the constructor. `purge`: returns all free
// memory to the kernel, inside a slow path.
COLD void mode_arm(bool (*purge)(void), bool (*trim)(size_t pad_bytes, const void *caller));

static inline bool mode_is_plain(void)
{
    // acquire: pairs with the release in mode_choose_paths, which comes after all initialization
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

// If is_quick: allocates as a usual malloc does. NULL: take the long path.
void *mode_allocate_quick(size_t bytes, const void *caller);
// The same at a multiple of `alignment`, all zero.
void *mode_allocate_quick_aligned(size_t bytes, size_t alignment, const void *caller);
// If samples: the sampled block when one is due, or else a cached one. NULL as above.
void *mode_allocate_sampled(size_t bytes, const void *caller);
// If is_hardened, inside a slow path: all zero, with `room` to grow. NULL when out of memory.
void *mode_allocate(size_t bytes, size_t room, size_t alignment);

// Counts a request for the heap profile; true: sample it.
NOINLINE COLD bool mode_wants_on(size_t bytes);
static inline bool mode_wants(size_t bytes)
{
    return mode_is(&g_mode.profiles) && mode_wants_on(bytes);
}

// If profiles: the inverse of mode_wants, inline. False: nothing has been counted yet.
static inline bool mode_lets_pass(size_t bytes)
{
    int64_t left = t_thread.profile_left - (int64_t)bytes;
    if (UNLIKELY(left < 0)) {
        return false;
    }
    t_thread.profile_left = left;
    return true;
}

// Undoes the count of mode_lets_pass: another path counts the request again.
static inline void mode_uncount(size_t bytes)
{
    t_thread.profile_left += (int64_t)bytes;
}

// Inside a slow path: the free of every block misses, so that samples need no span of their own.
COLD bool mode_samples_in_place(void);
// Records a sampled block; NULL: its allocation failed.
COLD void mode_note(const void *ptr, size_t bytes, const void *caller);

// ---- free ----

// If follows, before each free.
COLD void mode_forget(const void *ptr);

// If is_quick; if samples. False: nothing was done, take the long path.
bool mode_free_quick(void *ptr, const void *caller);
bool mode_free_sampled(void *ptr, const void *caller);

// Look up what is at `ptr`: in a chunk of the region that belongs to a feature; outside the region.
// False: it belongs to no feature.
COLD struct block mode_find_in_chunk(struct chunk *head, const void *ptr);
COLD bool mode_find(const void *ptr, struct block *block);
// If is_hardened: the user block of a huge mapping, without its guard pages.
COLD struct block mode_find_huge(const void *ptr);
size_t mode_huge_bytes(size_t mapped_bytes);
// If is_hardened: false when the block in use was not allocated with `bytes` and `alignment`.
bool mode_is_like(const struct block *block, const void *ptr, size_t bytes, size_t alignment);

// Frees a block of the hardened or sampled kinds, inside a slow path.
void mode_free(const struct block *block, void *ptr, const void *caller);
// Returns the block, possibly moved; NULL when a copy is needed.
void *mode_resize(const struct block *block, void *ptr, size_t bytes, const void *caller);
// If follows: calls `resize`, and moves the block's sample along with it.
typedef void *mode_resizer(void *ptr, const struct block *block, size_t bytes, const void *caller);
COLD void *mode_resize_followed(mode_resizer *resize, void *ptr, const struct block *block,
                                size_t bytes, const void *caller);
// Frees what is in quarantine; returns its bytes.
size_t mode_trim(const void *caller);

// ---- observers ----

enum mode_call { MODE_MALLOC, MODE_CALLOC, MODE_ALIGNED };
// If is_recorded: after an allocation (NULL: it failed), before a free, after a realloc of `old`
// that began at `time`.
COLD void mode_record_allocation(enum mode_call call, size_t bytes, size_t alignment,
                                 const void *ptr);
COLD void mode_record_free(const void *ptr);
COLD void mode_record_realloc(uint64_t time, size_t bytes, const void *old, const void *ptr);

// Adds the blocks of features to a census.
void mode_count(struct census *census);
// Huge mappings that are in quarantine, and their bytes.
void mode_count_quarantined(size_t *blocks, size_t *bytes);

NOINLINE COLD void mode_tick_on(void);
NOINLINE COLD void mode_peak_on(void);
// Refresh the live page: after a refill, if the last refresh is old enough; before memory is
// returned to the page heap, if the bytes in use have changed much since. mode_tick also answers
// requests of `myalloc profile`.
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

// At the end of the process: true when the heap profile has something to write; mode_report writes
// it, and leaks to `fd`.
COLD bool mode_has_report_on(void);
static inline bool mode_has_report(void)
{
    return mode_is(&g_mode.follows) && mode_has_report_on();
}
COLD void mode_report(int fd);

// At the end of the process: writes the final numbers to the live page.
void mode_show(void);

// ---- fork ----

// The locks of features, by rank: see fork.c.
extern HIDDEN lock_walker *const g_mode_locks[LOCK_RANKS];

// In the child of a fork, while the fork window is open.
void mode_postfork_child(void);

#endif
