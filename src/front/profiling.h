/* profiling.h - the heap profile in a process: on by an option, by the live page or by a signal;
 * what is written at exit. */
#ifndef FRONT_PROFILING_H
#define FRONT_PROFILING_H

#include "base/compiler.h"
#include "base/options.h"
#include "profile/profile.h"

#include <stdatomic.h>
#include <stdbool.h>

// Where an option may ask for the profile: finds the unwinder, listens to the signal. Outside of
// slow paths, once: may allocate.
void profiling_arm(void);

// Something is to be done about the profile, or may be: the live page is looked at.
extern HIDDEN _Atomic(bool) g_profiling_looks;
NOINLINE COLD void profiling_tick_on(void);
static inline void profiling_tick(void)
{
    if (UNLIKELY(atomic_load_explicit(&g_profiling_looks, memory_order_relaxed))) {
        profiling_tick_on();
    }
}

// At the end of the process. Leaks go to `fd`.
static inline bool profiling_ends(void) // there is something to write
{
    return profile_has_begun() && (g_options.profile != 0 || g_options.profile_leaks != 0);
}
void profiling_end(int fd);

#endif
