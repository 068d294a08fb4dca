/* cmd_purge.c - `myalloc purge PID`: have a process give back what it does not use.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: PURGE-1  what it came to is the kernel's count of resident memory, not ours.
 */
#include "cli/commands/commands.h"
#include "cli/commands/request.h"
#include "cli/commands/target.h"

#include "cli/render/json.h"
#include "cli/render/units.h"
#include "cli/tool.h"

#include <unistd.h>

static void tell(const struct options *options, const struct process *before,
                 const struct process *now)
{
    struct text out = {0};
    const uint64_t less =
        before->rss_bytes > now->rss_bytes ? before->rss_bytes - now->rss_bytes : 0;
    if (option_is_given(options, OPTION_JSON)) {
        struct json json = {.out = &out};
        json_open(&json, NULL, '{');
        json_number(&json, "schema", 1);
        json_number(&json, "pid", (uint64_t)now->pid);
        json_number(&json, "rss_before_bytes", before->rss_bytes);
        json_number(&json, "rss_bytes", now->rss_bytes);
        json_close(&json, '}');
        text_put_char(&out, '\n');
    } else {
        text_printf(&out, "%s (pid %d) gave back %s: RSS was %s and is %s\n", now->name,
                    (int)now->pid, units_bytes(less).chars, units_bytes(before->rss_bytes).chars,
                    units_bytes(now->rss_bytes).chars);
    }
    text_write(&out, options->out);
    text_free(&out);
}

int cmd_purge(const struct options *options, char **words)
{
    struct target target;
    struct process now;
    struct text answer = {0};
    int code = TOOL_NO;
    if (!target_open(&target, words[0])) {
        return TOOL_NO;
    }
    if (request_make(&target, MYALLOC_LIVE_PURGE, &answer)) {
        unlink(text_string(&answer));
        if (procfs_process(target.process.pid, &now) == 0) { // PURGE-1
            tell(options, &target.process, &now);
            code = TOOL_OK;
        } else {
            tool_warn("process %d has ended", (int)target.process.pid);
        }
    }
    text_free(&answer);
    target_close(&target);
    return code;
}
