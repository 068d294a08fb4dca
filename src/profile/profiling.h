/* profiling.h - control of the heap profile: started by an option, by the live page or by a signal;
 * written at exit. */
#ifndef PROFILE_PROFILING_H
#define PROFILE_PROFILING_H

#include "base/compiler.h"
#include "base/options.h"
#include "profile/profile.h"

#include <stdatomic.h>
#include <stdbool.h>

// True if some option may start the profile, now or later.
static inline bool profiling_may_begin(void)
{
    return g_options.profile != 0 || g_options.profile_leaks != 0 ||
           g_options.profile_signal != 0 || g_options.live != 0;
}

// If it may: at the startup of the allocator.
COLD void profiling_start(void);

// What the profile controls in front. Once armed, from any thread, also in a signal handler.
struct profiling_host {
    _Atomic(bool) *looks;       // slow paths must call profiling_tick
    void (*choose_paths)(void); // the profile was started or stopped
    void (*miss_once)(void);    // requests take the long path until choose_paths is called
    bool (*purge)(void);        // inside a slow path: returns all free memory to the kernel
};
// Installs the signal handler. Once, in a process that the allocator serves.
COLD void profiling_arm(const struct profiling_host *host);

// In a slow path. Answers requests from signals and from the live page.
NOINLINE COLD void profiling_tick(void);

// At the end of the process. Leaks are written to `fd`.
static inline bool profiling_ends(void) // there is something to write
{
    return profile_has_begun() && (g_options.profile != 0 || g_options.profile_leaks != 0);
}
COLD void profiling_end(int fd);

// In the child of a fork.
void profiling_postfork_child(void);

#endif
