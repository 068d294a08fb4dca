/* request.c - asks a process under the library for something, and waits for its answer.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: REQUEST-1  a signal is sent only to a process that is known to catch it: to any other
 *                        it would be the end.
 *             REQUEST-2  the process answers each request by a whole file beside the place of its
 *                        live page, under the name of the page with an ending.
 */
#include "cli/commands/request.h"

#include "cli/tool.h"

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

struct asking {
    const struct target *target;           // [const]
    struct text page;                      // [owner] its live page, by name; "": there is none
    struct text answers[LIVE_PAGE_PLACES]; // [owner] where the answer may appear
    size_t count;                          // [const] of these
};

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

/* REQUEST-1 */
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
static bool ask_by_page(const char *path, unsigned request)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
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

/* REQUEST-2. Without a page it may be in each of the places. */
static void name_answers(struct asking *asking, unsigned request)
{
    const char *const end = request == MYALLOC_LIVE_PURGE ? "purge" : "heap";
    if (asking->page.bytes != 0) {
        text_printf(&asking->answers[asking->count++], "%s.%s", text_string(&asking->page), end);
        return;
    }
    for (unsigned place = 0; place < LIVE_PAGE_PLACES; place++) {
        struct text *const path = &asking->answers[asking->count++];
        live_page_directory(path, asking->target->process.uid, place);
        text_printf(path, "/%d.%s", (int)asking->target->process.pid, end);
    }
}

/* What lies there is an old one. */
static void forget_answers(const struct asking *asking)
{
    for (size_t i = 0; i < asking->count; i++) {
        unlink(text_string(&asking->answers[i]));
    }
}

static bool find_answer(const struct asking *asking, struct text *path)
{
    for (size_t i = 0; i < asking->count; i++) {
        struct stat status;
        if (lstat(text_string(&asking->answers[i]), &status) == 0 && S_ISREG(status.st_mode) &&
            status.st_uid == asking->target->process.uid) {
            text_put(path, text_string(&asking->answers[i]));
            return true;
        }
    }
    return false;
}

/* Also of one whose parent has not looked at its end yet. */
static bool has_ended(const struct target *target)
{
    struct process now;
    return procfs_process(target->process.pid, &now) != 0 || now.state == 'Z' || now.state == 'X' ||
           now.started_ns != target->process.started_ns;
}

/* An answer, or why there is none: the process ended, or the time is over. */
static bool wait_for_answer(const struct asking *asking, struct text *path)
{
    for (int looks = 0; looks < (int)(ANSWER_SECONDS / LOOK_SECONDS); looks++) {
        const bool is_last = has_ended(asking->target); // it may have answered before it ended
        if (find_answer(asking, path)) {
            return true;
        }
        if (is_last) {
            return false;
        }
        tool_sleep(LOOK_SECONDS);
    }
    return false;
}

static void complain(const struct target *target)
{
    const pid_t pid = target->process.pid;
    if (has_ended(target)) {
        tool_warn("process %d has ended and has not answered", (int)pid);
    } else {
        tool_warn("process %d has not answered: it will when it allocates next%s", (int)pid,
                  signal_of(pid) == 0 ? " (with profile_signal, at once)" : "");
    }
}

bool request_make(const struct target *target, unsigned request, struct text *path)
{
    struct asking asking = {.target = target};
    const pid_t pid = target->process.pid;
    const char *why = NULL;
    bool is_answered = false;
    struct myalloc_live *const page = live_page_find(&target->process, &asking.page, &why);
    name_answers(&asking, request);
    forget_answers(&asking);
    if (!ask_by_signal(pid, request) &&
        (page == NULL || !ask_by_page(text_string(&asking.page), request))) {
        tool_warn("process %d cannot be asked: %s, and no profile_signal is set", (int)pid,
                  page == NULL ? why : "its page cannot be written to");
    } else if (!(is_answered = wait_for_answer(&asking, path))) {
        complain(target);
    }
    for (size_t i = 0; i < asking.count; i++) {
        text_free(&asking.answers[i]);
    }
    text_free(&asking.page);
    free(page);
    return is_answered;
}
