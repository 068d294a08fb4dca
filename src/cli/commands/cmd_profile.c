/* cmd_profile.c - `myalloc profile`: turn the heap profile of a process on, off, and fetch it; show
 * a profile, or turn it into another form.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: PROFILE-1  a signal is sent only to a process that is known to catch it: to any other
 *                        it would be the end.
 *             PROFILE-2  the process answers each request by a whole file, PID.heap beside the
 *                        place of its live page, which we take away.
 */
#include "cli/commands/commands.h"
#include "cli/commands/profile_file.h"
#include "cli/commands/target.h"

#include "cli/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_SECONDS 10.0
#define LOOK_SECONDS   0.02

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

/* ---- the two ways to ask ---- */

/* The signal that the process was told to listen to; 0: none. */
static int signal_of(pid_t pid)
{
    struct text environment = {0};
    int number = 0;
    if (procfs_read_of(&environment, pid, "environ") == 0) {
        for (size_t at = 0; at < environment.bytes;) {
            const char *const entry = environment.data + at;
            const char *const key =
                strncmp(entry, "MYALLOC_CONF=", 13) == 0 ? strstr(entry, "profile_signal:") : NULL;
            number = key != NULL ? atoi(key + 15) : number;
            at += strlen(entry) + 1;
        }
    }
    text_free(&environment);
    return number > 0 && number <= 64 ? number : 0;
}

/* PROFILE-1 */
static bool catches(pid_t pid, int number)
{
    struct text status = {0};
    uint64_t caught = 0;
    if (procfs_read_of(&status, pid, "status") == 0) {
        const char *const line = strstr(text_string(&status), "\nSigCgt:");
        caught = line != NULL ? strtoull(line + 8, NULL, 16) : 0;
    }
    text_free(&status);
    return (caught >> (number - 1) & 1) != 0;
}

static bool ask_by_signal(pid_t pid, unsigned request)
{
    const int number = signal_of(pid);
    return number != 0 && catches(pid, number) &&
           sigqueue(pid, number, (union sigval){.sival_int = (int)request}) == 0;
}

/* Puts the request into the live page, whose owner looks there at his next slow path. */
static bool ask_by_page(const struct target *target, const char *directory, unsigned request)
{
    struct text path = {0};
    text_printf(&path, "%s/%d", directory, (int)target->process.pid);
    const int fd = open(text_string(&path), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    text_free(&path);
    if (fd < 0) {
        return false;
    }
    struct myalloc_live_header *const header =
        mmap(NULL, sizeof(*header), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (header == MAP_FAILED) {
        return false;
    }
    const uint64_t number = (atomic_load(&header->profile_request) >> 8) + 1;
    atomic_store(&header->profile_request, number << 8 | request);
    munmap(header, sizeof(*header));
    return true;
}

/* ---- the answer ---- */

struct answer {
    struct text path;
    char *directory;
};

/* The places where the answer may appear; what lies there is an old one. PROFILE-2 */
static void forget_answers(const struct target *target)
{
    struct text path = {0};
    for (unsigned place = 0; place < LIVE_PAGE_PLACES; place++) {
        live_page_directory(&path, target->process.uid, place);
        text_printf(&path, "/%d.heap", (int)target->process.pid);
        unlink(text_string(&path));
    }
    text_free(&path);
}

static bool find_answer(const struct target *target, struct text *path)
{
    for (unsigned place = 0; place < LIVE_PAGE_PLACES; place++) {
        struct stat status;
        live_page_directory(path, target->process.uid, place);
        text_printf(path, "/%d.heap", (int)target->process.pid);
        if (lstat(text_string(path), &status) == 0 && S_ISREG(status.st_mode) &&
            status.st_uid == target->process.uid) {
            return true;
        }
    }
    return false;
}

static bool ask(const struct target *target, unsigned request)
{
    bool is_asked = ask_by_signal(target->process.pid, request);
    struct text directory = {0};
    for (unsigned place = 0; target->page != NULL && place < LIVE_PAGE_PLACES && !is_asked;
         place++) {
        live_page_directory(&directory, target->process.uid, place);
        is_asked = ask_by_page(target, text_string(&directory), request);
    }
    text_free(&directory);
    return is_asked;
}

static bool wait_for_answer(const struct target *target, struct text *path)
{
    for (int looks = 0; looks < (int)(ANSWER_SECONDS / LOOK_SECONDS); looks++) {
        if (find_answer(target, path)) {
            return true;
        }
        tool_sleep(LOOK_SECONDS);
    }
    return false;
}

static int control(const struct options *options, const char *word, unsigned request)
{
    struct target target;
    struct text path = {0};
    if (!target_open(&target, word)) {
        return TOOL_NO;
    }
    const int pid = (int)target.process.pid;
    int code = TOOL_NO;
    forget_answers(&target);
    if (!ask(&target, request)) {
        tool_warn("process %d cannot be asked: %s, and no profile_signal is set", pid,
                  target.page == NULL ? target.no_page : "its page cannot be written to");
    } else if (!wait_for_answer(&target, &path)) {
        tool_warn("process %d has not answered: it will when it allocates next%s", pid,
                  signal_of(target.process.pid) == 0 ? " (with profile_signal, at once)" : "");
    } else if (request == MYALLOC_LIVE_PROFILE_START) {
        tool_warn("the profile of process %d is on", pid);
        code = TOOL_OK;
    } else {
        code = profile_file_show(options, text_string(&path));
    }
    if (path.bytes != 0) {
        unlink(text_string(&path));
    }
    text_free(&path);
    target_close(&target);
    return code;
}

int cmd_profile(const struct options *options, char **words)
{
    if (words[1] == NULL) {
        return profile_file_show(options, words[0]);
    }
    if (target_pid(words[0]) != 0) {
        return control(options, words[0], request_of(words[1]));
    }
    return profile_file_compare(options, words[0], words[1]);
}
