/* cmd_run.c - `myalloc run CMD`: the program under the library, and a summary after its end.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: RUN-1  stdin and stdout belong to the program: the summary goes to stderr or -o
 *                    FILE.
 *             RUN-2  exit code and fatal signal of the program become ours.
 *             RUN-3  nothing is started that would silently run without the library.
 */
#include "cli/commands.h"

#include "cli/preload.h"
#include "cli/summary.h"
#include "cli/tool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void die_not_started(const char *name, int error)
{
    tool_die(error == ENOENT ? TOOL_NOT_FOUND : TOOL_NOT_EXECUTABLE, "%s: %s", name,
             strerror(error));
}

/* RUN-3 */
static void refuse_obstacles(const char *name)
{
    struct verdict verdict;
    preload_judge(name, &verdict);
    if (verdict.error != 0) {
        die_not_started(name, verdict.error);
    }
    if (verdict.obstacles.bytes != 0) {
        const char *const sentences = text_string(&verdict.obstacles);
        tool_die(TOOL_FAILED, "%.*s", (int)strcspn(sentences, "\n"), sentences);
    }
    preload_verdict_free(&verdict);
}

static void find_library(struct text *library)
{
    if (!preload_find_library(library)) {
        tool_die(TOOL_FAILED, "there is no %s; build it, or set MYALLOC_LIB", text_string(library));
    }
    if (strpbrk(text_string(library), ": ") != NULL) {
        tool_die(TOOL_FAILED,
                 "the path %s holds a blank or a colon, which LD_PRELOAD takes for the end of a "
                 "name; copy the library elsewhere and set MYALLOC_LIB",
                 text_string(library));
    }
}

/* RUN-2: end as the program ended. */
static int end_as(const struct outcome *outcome)
{
    if (!WIFSIGNALED(outcome->status)) {
        return WEXITSTATUS(outcome->status);
    }
    const int number = WTERMSIG(outcome->status);
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core); // the program's core is the one that matters
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    signal(number, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
    return TOOL_SIGNAL + number;
}

/* Run once more without the library: its output is dropped, since it was seen already, and a stdin
 * that is a file is read again from where the first run began. */
static void run_without(struct launch *launch, off_t stdin_at, struct outcome *outcome)
{
    if (stdin_at >= 0) {
        lseek(STDIN_FILENO, stdin_at, SEEK_SET);
    }
    launch->library = NULL;
    launch->series = NULL;
    launch->is_muted = true;
    launch_run(launch, outcome);
    if (WIFSIGNALED(outcome->status)) {
        tool_warn("without the library, it was killed by signal %d", WTERMSIG(outcome->status));
    }
}

static void report(const struct options *options, const char *name, const struct outcome *ours,
                   const struct outcome *theirs)
{
    struct text out = {0};
    if (option_is_given(options, OPTION_JSON)) {
        summary_put_json(&out, name, ours, theirs);
    } else {
        summary_put(&out, name, ours, options);
        if (theirs != NULL) {
            text_put_char(&out, '\n');
            summary_put_comparison(&out, ours, theirs, options->is_coloured);
        }
    }
    text_write(&out, option_is_given(options, OPTION_OUTPUT) ? options->out : stderr); // RUN-1
    text_free(&out);
}

int cmd_run(const struct options *options, char **words)
{
    struct text library = {0};
    refuse_obstacles(words[0]);
    find_library(&library);
    struct series series;
    series_init(&series);
    const char *const timeline = options->values[OPTION_TIMELINE];
    struct launch launch = {
        .words = words,
        .library = text_string(&library),
        .not_ours = text_string(&library),
        .limit_bytes = options->limit_bytes,
        .series = timeline != NULL ? &series : NULL,
    };
    const bool compares = option_is_given(options, OPTION_COMPARE);
    const off_t stdin_at = lseek(STDIN_FILENO, 0, SEEK_CUR);
    struct outcome ours;
    struct outcome theirs = {0};
    launch_run(&launch, &ours);
    if (ours.error != 0) {
        die_not_started(words[0], ours.error);
    }
    if (compares) {
        run_without(&launch, stdin_at, &theirs);
    }
    report(options, words[0], &ours, compares ? &theirs : NULL);
    if (timeline != NULL) {
        series_write_chart(&series, words[0], timeline);
    }
    series_free(&series);
    free(ours.page);
    text_free(&library);
    return end_as(&ours);
}
