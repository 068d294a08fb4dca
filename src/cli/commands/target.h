/* target.h - the process that a command looks at: what the kernel and the library tell about it. */
#ifndef CLI_COMMANDS_TARGET_H
#define CLI_COMMANDS_TARGET_H

#include "cli/procfs/look.h"
#include "cli/procfs/procfs.h"

struct target {
    struct process process;    // [const]
    struct mappings mappings;  // [owner] empty for a process that has ended
    struct myalloc_live *page; // [owner] NULL: not under the library, or hidden
    const char *no_page;       // [const] why page is NULL, a sentence about "it"
    struct look look;          // [const] how old the page's counts are, and what it does not tell
    bool has_ended;            // [const] the process is gone; its page is what it left
};

/* Read everything about the process whose id `word` tells.  Says why on stderr and returns false if
 * the word is no id, the process is gone, or it may not be read. */
bool target_open(struct target *target, const char *word);
/* The same, but a process that was killed may be told about by the page that it left. */
bool target_open_left(struct target *target, const char *word);
void target_close(struct target *target);

/* A process id, or 0 if `word` is none. */
pid_t target_pid(const char *word);

#endif
