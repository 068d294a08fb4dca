/* cmd_record.c - `myalloc record -o FILE CMD`: a trace of every call, for bench/replay.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: RECORD-1  FILE is the trace of CMD itself; processes that it forked leave theirs in
 *                       FILE.PID, and so does what it was before an exec, as nice(1) is.
 */
#include "cli/commands/commands.h"

#include "cli/render/json.h"
#include "cli/commands/launch.h"
#include "cli/tool.h"
#include "cli/render/units.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES_MAX 180 // the library takes 199 bytes, with the pid

/* The absolute name: the program may change its directory before it forks. */
static void name_trace(const char *file, struct text *name)
{
    char resolved[PATH_MAX];
    if (realpath(file, resolved) == NULL) {
        tool_die(TOOL_FAILED, "%s: %s", file, strerror(errno));
    }
    if (strlen(resolved) > NAME_BYTES_MAX || strpbrk(resolved, ",%") != NULL) {
        tool_die(TOOL_USAGE, "%s: want a name of at most %d bytes without a comma or %%", resolved,
                 NAME_BYTES_MAX);
    }
    text_put(name, resolved);
}

static void tell(const char *name, uint64_t bytes, bool is_json)
{
    if (!is_json) {
        tool_warn("%s holds %s; bench/replay repeats it", name, units_bytes(bytes).chars);
        return;
    }
    struct text out = {0};
    struct json json = {.out = &out};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_string(&json, "trace", name);
    json_number(&json, "trace_bytes", bytes);
    json_close(&json, '}');
    text_put_char(&out, '\n');
    text_write(&out, stderr); // stdout is the program's
    text_free(&out);
}

/* The last trace that the process made: the library never writes to a file that was there. */
static void name_last(struct text *own, const char *name, pid_t pid)
{
    struct text next = {0};
    text_printf(own, "%s.%d", name, (int)pid);
    text_printf(&next, "%s.%d.2", name, (int)pid);
    for (unsigned number = 3; access(text_string(&next), F_OK) == 0; number++) {
        text_clear(own);
        text_put(own, text_string(&next));
        text_clear(&next);
        text_printf(&next, "%s.%d.%u", name, (int)pid, number);
    }
    text_free(&next);
}

/* RECORD-1 */
static void take_trace(const char *name, pid_t pid, bool is_json)
{
    struct text own = {0};
    struct stat status;
    name_last(&own, name, pid);
    if (rename(text_string(&own), name) != 0 || stat(name, &status) != 0) {
        tool_warn("no trace was written: %s", strerror(errno));
        if (stat(name, &status) == 0 && status.st_size == 0) {
            unlink(name); // made by us; one from before stays
        }
    } else {
        tell(name, (uint64_t)status.st_size, is_json);
    }
    text_free(&own);
}

int cmd_record(const struct options *options, char **words)
{
    struct text library = {0};
    struct text name = {0};
    struct text pattern = {0};
    if (!option_is_given(options, OPTION_OUTPUT)) {
        tool_die(TOOL_USAGE, "record: want -o FILE; see myalloc record --help");
    }
    launch_refuse_obstacles(words[0]);
    launch_find_library(&library);
    name_trace(options->values[OPTION_OUTPUT], &name);
    text_printf(&pattern, "%s.%%p", text_string(&name));
    const struct launch launch = {
        .words = words,
        .library = text_string(&library),
        .not_ours = text_string(&library),
        .record = text_string(&pattern),
    };
    struct outcome outcome;
    launch_run(&launch, &outcome);
    if (outcome.error != 0) {
        launch_die_not_started(words[0], outcome.error);
    }
    take_trace(text_string(&name), outcome.pid, option_is_given(options, OPTION_JSON));
    free(outcome.page);
    text_free(&library);
    text_free(&name);
    text_free(&pattern);
    return launch_end_as(&outcome);
}
