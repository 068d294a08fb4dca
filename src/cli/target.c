/* target.c - one look at one process.
 *
 * Owns:       the copies in struct target.
 * Threads:    one.
 * Invariants: TARGET-1  a missing live page is no error: every command does with the kernel's
 *                       view.
 */
#include "cli/target.h"

#include "cli/tool.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

pid_t target_pid(const char *word)
{
    char *end = NULL;
    const long pid = strtol(word, &end, 10);
    return word[0] >= '1' && word[0] <= '9' && *end == 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

bool target_open(struct target *target, const char *word)
{
    *target = (struct target){0};
    const pid_t pid = target_pid(word);
    if (pid == 0) {
        tool_die(TOOL_USAGE, "%s is no process id", word);
    }
    int error = procfs_process(pid, &target->process);
    if (error == 0) {
        error = procfs_mappings(pid, &target->mappings);
    }
    if (error == EACCES || error == EPERM) {
        tool_warn("process %d belongs to another user; its memory may not be read", (int)pid);
    } else if (error != 0) {
        tool_warn("there is no process %d%s%s", (int)pid, error == ESRCH ? "" : ": ",
                  error == ESRCH ? "" : strerror(error));
    } else {
        target->page = live_page_of(&target->process, &target->no_page);
    }
    return error == 0;
}

void target_close(struct target *target)
{
    procfs_mappings_free(&target->mappings);
    free(target->page);
    *target = (struct target){0};
}
