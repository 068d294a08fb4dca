/* cmd_profile.c - `myalloc profile`: turn the heap profile of a process on, off, and fetch it; show
 * a profile, or turn it into another form.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: CMD_PROFILE-1  what -o asks for is known to be possible before a process is asked, or
 *                            a file touched.
 */
#include "cli/commands/commands.h"
#include "cli/commands/profile_file.h"
#include "cli/commands/request.h"
#include "cli/commands/target.h"

#include "cli/tool.h"

#include <string.h>
#include <unistd.h>

static const char *const g_requests[] = {NULL, "start", "stop", "dump"};

static unsigned request_of(const char *word)
{
    for (unsigned i = MYALLOC_LIVE_PROFILE_START; i <= MYALLOC_LIVE_PROFILE_DUMP; i++) {
        if (strcmp(word, g_requests[i]) == 0) {
            return i;
        }
    }
    tool_die(TOOL_USAGE, "profile: want start, stop or dump behind the process, not %s", word);
}

static int control(const struct options *options, const char *word, unsigned request)
{
    struct target target;
    struct text path = {0};
    int code = TOOL_NO;
    if (!target_open(&target, word)) {
        return TOOL_NO;
    }
    if (request_make(&target, request, &path)) {
        if (request == MYALLOC_LIVE_PROFILE_START) {
            tool_warn("the profile of process %d is on", (int)target.process.pid);
            code = TOOL_OK;
        } else {
            code = profile_file_show(options, text_string(&path));
        }
        unlink(text_string(&path));
    }
    text_free(&path);
    target_close(&target);
    return code;
}

static bool is_about_process(char **words)
{
    return words[1] != NULL && target_pid(words[0]) != 0;
}

void cmd_profile_check(const struct options *options, char **words)
{
    const bool compares = words[1] != NULL && !is_about_process(words);
    if (is_about_process(words)) {
        request_of(words[1]);
    }
    const char *const to = options->values[OPTION_OUTPUT];
    if (option_is_given(options, OPTION_OUTPUT)) { // CMD_PROFILE-1
        compares ? profile_file_check_comparison(to) : profile_file_check_name(to);
    }
}

int cmd_profile(const struct options *options, char **words)
{
    if (is_about_process(words)) {
        return control(options, words[0], request_of(words[1]));
    }
    return words[1] == NULL ? profile_file_show(options, words[0])
                            : profile_file_compare(options, words[0], words[1]);
}
