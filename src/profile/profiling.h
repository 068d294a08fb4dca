/* profiling.h - the heap profile in a process: on by an option, by the live page or by a signal;
 * what is written at exit. */
#ifndef PROFILE_PROFILING_H
#define PROFILE_PROFILING_H

#include "base/compiler.h"
#include "base/options.h"
#include "profile/profile.h"

#include <stdatomic.h>
#include <stdbool.h>

// Some option may turn the profile on, now or later.
static inline bool profiling_may_begin(void)
{
    return g_options.profile != 0 || g_options.profile_leaks != 0 ||
           g_options.profile_signal != 0 || g_options.live != 0;
}

// Where it may: at the start of the allocator.
COLD void profiling_start(void);

// What of front the profile moves. Once armed, from any thread, also in a signal handler.
struct profiling_host {
    _Atomic(bool) *looks;       // slow paths are to call profiling_tick
    void (*choose_paths)(void); // the profile is on now, or off
    void (*miss_once)(void);    // requests take the long way until choose_paths is called
    bool (*purge)(void);        // inside of a slow path: everything free goes back
};
// Listens to the signal. Once, in a process that the allocator serves.
COLD void profiling_arm(const struct profiling_host *host);

// In a slow path. Answers what was asked, and looks at the live page.
NOINLINE COLD void profiling_tick(void);

// At the end of the process. Leaks go to `fd`.
static inline bool profiling_ends(void) // there is something to write
{
    return profile_has_begun() && (g_options.profile != 0 || g_options.profile_leaks != 0);
}
COLD void profiling_end(int fd);

// In the child of a fork.
void profiling_postfork_child(void);

#endif
