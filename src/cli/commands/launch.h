/* launch.h - start a program, with or without the library, and wait for its end. */
#ifndef CLI_COMMANDS_LAUNCH_H
#define CLI_COMMANDS_LAUNCH_H

#include "cli/commands/family.h"

#include <sys/resource.h>
#include <sys/types.h>

struct launch {
    char **words;          // [const] the program and its arguments
    const char *library;   // [const] path to preload; NULL: take ours out of LD_PRELOAD
    const char *not_ours;  // [const] the library's path, for taking it out
    uint64_t limit_bytes;  // [const] RLIMIT_DATA; 0: unchanged
    bool is_muted;         // [const] its stdout goes to /dev/null
    const char *record;    // [const] pattern of the names of traces; NULL: a live page instead
    const char *profile;   // [const] name of the heap profile, .PID behind it; NULL: none
    struct series *series; // [const] samples taken while it runs; NULL: none
};

struct outcome {
    pid_t pid;                 // [const]
    int error;                 // [const] errno of a program that could not be executed, else 0
    int status;                // [const] as wait4 tells
    uint64_t elapsed_ns;       // [const]
    struct rusage usage;       // [const]
    struct family family;      // [owner] the processes that it started
    struct myalloc_live *page; // [owner] the last state of its live page, or NULL
    const char *no_page;       // [const] why page is NULL
};

/* Run to the end.  Signals that are sent to us are passed on; those of the terminal reach the
 * program without us. We stop and go on with it. Free outcome->page afterwards. */
void launch_run(const struct launch *launch, struct outcome *outcome);

/* Before: refuse what would silently run without the library, find the library. */
void launch_refuse_obstacles(const char *name);
void launch_find_library(struct text *library);
/* After: a program that could not be started; or end as the program ended, by code or signal. */
_Noreturn void launch_die_not_started(const char *name, int error);
int launch_end_as(const struct outcome *outcome);

#endif
