/* cmd_run.c - `myalloc run CMD`: the program under the library, and a summary after its end.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: RUN-1  stdin and stdout belong to the program: the summary goes to stderr or -o
 *                    FILE.
 *             RUN-2  exit code and fatal signal of the program become ours (launch_end_as).
 */
#include "cli/commands/commands.h"

#include "cli/commands/launch.h"
#include "cli/commands/profile_file.h"
#include "cli/commands/left_pages.h"
#include "cli/commands/summary.h"
#include "cli/render/svg.h"
#include "cli/tool.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What mkstemp fills: six letters. */
#define PAIR       "XX"
#define EMPTY_NAME PAIR PAIR PAIR

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

/* One below the other; a picture that is no page has room for the program itself only. */
static void write_timeline(const struct series *series, const struct family *family,
                           const char *title, const char *path)
{
    struct text svg = {0};
    struct text notes = {0};
    series_put_chart(&svg, &notes, series, title);
    if (svg_is_page(path)) {
        family_put_charts(&svg, &notes, family);
    }
    svg_write_path(&svg, &notes, title, path);
    text_free(&svg);
    text_free(&notes);
}

/* Where the library writes its profile: beside the page, under a name of ours. */
static void name_profile(const char *to, struct text *name)
{
    char place[] = "/tmp/myalloc-profile-" EMPTY_NAME;
    if (to != NULL) {
        profile_file_check_name(to);
        if (mkdtemp(place) == NULL) {
            tool_die(TOOL_FAILED, "cannot make %s: %s", place, strerror(errno));
        }
        text_printf(name, "%s/p", place);
    }
}

/* That of CMD itself is told; those of its children go with the directory. */
static void take_profile(const char *to, struct text *name, pid_t pid)
{
    struct text own = {0};
    glob_t all = {0};
    if (to == NULL) {
        return;
    }
    text_printf(&own, "%s.%d", text_string(name), (int)pid);
    if (access(text_string(&own), R_OK) != 0) {
        tool_warn("no heap profile was written: the program did not end by exit");
    } else {
        profile_file_convert(text_string(&own), to);
    }
    text_clear(&own);
    text_printf(&own, "%s.*", text_string(name));
    if (glob(text_string(&own), GLOB_NOSORT, NULL, &all) == 0) {
        for (size_t i = 0; i < all.gl_pathc; i++) {
            unlink(all.gl_pathv[i]);
        }
        globfree(&all);
    }
    name->data[name->bytes - 2] = 0; // the directory
    rmdir(name->data);
    text_free(&own);
    text_free(name);
}

int cmd_run(const struct options *options, char **words)
{
    struct text library = {0};
    launch_refuse_obstacles(words[0]);
    launch_find_library(&library);
    struct text profile = {0};
    name_profile(options->values[OPTION_PROFILE], &profile);
    struct series series;
    series_init(&series);
    series.is_exact = true;
    const char *const timeline = options->values[OPTION_TIMELINE];
    struct launch launch = {
        .words = words,
        .library = text_string(&library),
        .not_ours = text_string(&library),
        .limit_bytes = options->limit_bytes,
        .profile = profile.bytes != 0 ? text_string(&profile) : NULL,
        .series = timeline != NULL ? &series : NULL,
    };
    const bool compares = option_is_given(options, OPTION_COMPARE);
    const off_t stdin_at = lseek(STDIN_FILENO, 0, SEEK_CUR);
    struct outcome ours;
    struct outcome theirs = {0};
    launch_run(&launch, &ours);
    if (ours.error != 0) {
        launch_die_not_started(words[0], ours.error);
    }
    if (compares) {
        run_without(&launch, stdin_at, &theirs);
    }
    report(options, words[0], &ours, compares ? &theirs : NULL);
    if (timeline != NULL) {
        write_timeline(&series, &ours.family, words[0], timeline);
    }
    take_profile(options->values[OPTION_PROFILE], &profile, ours.pid);
    left_pages_sweep();
    series_free(&series);
    family_free(&ours.family);
    family_free(&theirs.family);
    free(ours.page);
    text_free(&library);
    return launch_end_as(&ours);
}
