/* start.h - starts every lower module exactly once, at the first request of the process. */
#ifndef FRONT_START_H
#define FRONT_START_H

#include "base/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>

enum start_mode {
    START_NOT_YET,
    START_SERVING,
    START_FORWARDING, // MYALLOC_EXCLUDE names this program: libc's own malloc serves it
};

// Any thread; waits while another one starts. START_NOT_YET: no memory, ask again later.
enum start_mode start_once(void);
// What start_once decided, without starting.
enum start_mode start_mode(void);

// Tells purge.c the options as they are now: at the start, and after mallopt changed one.
void start_configure_purge(void);

// Chooses what malloc and free do first, by what the options want to see: at the start, and after
// mallopt changed one.
void start_choose_paths(void);
// Lets requests take the long way until start_choose_paths() is called again. Async-signal-safe.
void start_miss_once(void);
// True when no option wants to see every request, and the allocator serves.
extern HIDDEN _Atomic(bool) g_is_plain;
static inline bool start_is_plain(void)
{
    // acquire: pairs with the release in start_choose_paths, behind which everything has begun
    return LIKELY(atomic_load_explicit(&g_is_plain, memory_order_acquire));
}
// The same of free.
extern HIDDEN _Atomic(bool) g_frees_plainly;
static inline bool start_frees_plainly(void)
{
    return LIKELY(atomic_load_explicit(&g_frees_plainly, memory_order_acquire)); // as above
}
// Blocks of size classes are to be counted as they are given out.
bool start_counts_blocks(void);

// Some option may turn the heap profile on, now or later.
bool start_may_profile(void);

void start_prefork(void);
void start_postfork_parent(void);
void start_postfork_child(void);

#endif
