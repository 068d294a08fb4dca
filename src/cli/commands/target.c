/* target.c - one look at one process.
 *
 * Owns:       the copies in struct target.
 * Threads:    one.
 * Invariants: TARGET-1  a missing live page is no error: every command does with the kernel's
 *                       view.
 */
#include "cli/commands/target.h"

#include "cli/tool.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

pid_t target_pid(const char *word)
{
    char *end = NULL;
    const long pid = strtol(word, &end, 10);
    return word[0] >= '1' && word[0] <= '9' && *end == 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

/* What the kernel tells. Returns 0 or the errno. */
static int look(struct target *target, const char *word)
{
    *target = (struct target){0};
    const pid_t pid = target_pid(word);
    if (pid == 0) {
        tool_die(TOOL_USAGE, "%s is no process id", word);
    }
    const int error = procfs_process(pid, &target->process);
    return error == 0 ? procfs_mappings(pid, &target->mappings) : error;
}

static bool answer(struct target *target, int error)
{
    const pid_t pid = target->process.pid;
    const bool is_refused = error == EACCES || error == EPERM;
    if (is_refused && target->process.uid != geteuid()) {
        tool_warn("process %d belongs to another user; its memory may not be read", (int)pid);
    } else if (is_refused) {
        tool_warn("the memory of process %d may not be read, although it is ours: it is protected, "
                  "or has rights that we have not",
                  (int)pid);
    } else if (error != 0) {
        tool_warn("there is no process %d%s%s", (int)pid, error == ESRCH ? "" : ": ",
                  error == ESRCH ? "" : strerror(error));
    } else {
        target->page = look_twice(&target->process, &target->look, &target->no_page);
    }
    return error == 0;
}

bool target_open(struct target *target, const char *word)
{
    return answer(target, look(target, word));
}

bool target_open_left(struct target *target, const char *word)
{
    const int error = look(target, word);
    if (error == ESRCH) {
        target->process.uid = geteuid();
        target->page = live_page_of(&target->process, &target->no_page);
        target->has_ended = target->page != NULL;
    }
    if (!target->has_ended) {
        return answer(target, error);
    }
    memcpy(target->process.name, target->page->header.exe, sizeof(target->process.name));
    return true;
}

void target_close(struct target *target)
{
    procfs_mappings_free(&target->mappings);
    free(target->page);
    *target = (struct target){0};
}
