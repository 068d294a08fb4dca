/* launch.c - fork, execute, sample, wait.
 *
 * Owns:       the child from fork to wait4, its live page file until it is read, a signal mask.
 * Threads:    one.
 * Invariants: LAUNCH-1  the file of the live page is made, empty, before the program starts, and
 *                       its descriptor held: a program that unlinks its page at exit is still
 *                       read.
 *             LAUNCH-2  a failed exec reports its errno through a pipe that a good exec closes.
 *             LAUNCH-3  the child starts with the signal mask and the handlers that we were given.
 *             LAUNCH-4  the program gets each signal that is sent to us, and gets it once; only
 *                       SIGKILL and SIGSTOP cannot be passed on.
 */
#include "cli/commands/launch.h"

#include "cli/commands/preload.h"
#include "cli/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_FIRST_NS 2000000  // short programs get samples every 2 ms ...
#define LOOK_LAST_NS  50000000 // ... long ones every 50 ms

/* LD_PRELOAD with `library` in front and `not_ours` nowhere else; what the user set stays. */
static void set_preload(const struct launch *launch)
{
    const char *rest = getenv("LD_PRELOAD");
    struct text list = {0};
    text_put(&list, launch->library != NULL ? launch->library : "");
    while (rest != NULL && *rest != 0) {
        const size_t length = strcspn(rest, ": ");
        const bool is_ours =
            length == strlen(launch->not_ours) && strncmp(rest, launch->not_ours, length) == 0;
        if (length != 0 && !is_ours) {
            text_put(&list, list.bytes != 0 ? ":" : "");
            text_put_bytes(&list, rest, length);
        }
        rest += length + (rest[length] != 0 ? 1 : 0);
    }
    if (list.bytes != 0) {
        setenv("LD_PRELOAD", text_string(&list), 1);
    } else {
        unsetenv("LD_PRELOAD");
    }
    text_free(&list);
}

static void set_configuration(const struct launch *launch)
{
    const char *const given = getenv("MYALLOC_CONF");
    struct text list = {0};
    text_printf(&list, "%s%s", given != NULL ? given : "",
                given != NULL && given[0] != 0 ? "," : "");
    if (launch->record != NULL) {
        text_printf(&list, "record:%s", launch->record);
    } else {
        text_printf(&list, "live:%d", (int)getppid());
    }
    if (launch->profile != NULL) {
        text_printf(&list, ",profile:1,profile_file:%s", launch->profile);
    }
    setenv("MYALLOC_CONF", text_string(&list), 1);
    text_free(&list);
}

static _Noreturn void execute(const struct launch *launch, int report_fd)
{
    set_preload(launch);
    if (launch->library != NULL) {
        set_configuration(launch);
    }
    if (launch->is_muted) {
        const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (null >= 0) {
            dup2(null, STDOUT_FILENO);
        }
    }
    if (launch->limit_bytes != 0) {
        const struct rlimit limit = {launch->limit_bytes, launch->limit_bytes};
        setrlimit(RLIMIT_DATA, &limit);
    }
    execvp(launch->words[0], launch->words);
    const int error = errno;
    const ssize_t written = write(report_fd, &error, sizeof(error)); // LAUNCH-2
    _exit(written > 0 ? TOOL_NOT_FOUND : TOOL_FAILED);
}

/* In a place that everybody may write to, only a directory of our own is safe. */
static bool is_own_directory(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* True when a living process, of another container perhaps, has mapped the page: see
 * base/os_report.h. */
static bool is_held(const char *path)
{
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const bool held = fd >= 0 && live_page_is_held(fd);
    if (fd >= 0) {
        close(fd);
    }
    return held;
}

/* LAUNCH-1; -1 if it cannot be made, which is no error. */
static int make_page_file(pid_t pid, struct text *path)
{
    struct text directory = {0};
    live_page_directory(&directory, geteuid(), 0);
    if (mkdir(text_string(&directory), 0700) != 0 && errno == ENOENT) {
        text_clear(&directory);
        text_printf(&directory, "/dev/shm/myalloc.%u", (unsigned)geteuid());
        mkdir(text_string(&directory), 0700);
    }
    text_clear(path);
    text_printf(path, "%s/%d", text_string(&directory), (int)pid);
    for (unsigned number = 2; is_held(text_string(path)) && number < LIVE_PAGE_NAMES; number++) {
        text_clear(path);
        text_printf(path, "%s/%d.%u", text_string(&directory), (int)pid, number);
    }
    const bool is_safe = is_own_directory(text_string(&directory));
    text_free(&directory);
    if (!is_safe) {
        return -1;
    }
    unlink(text_string(path)); // left by an earlier process of this id
    return open(text_string(path), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* The page through the descriptor that we hold; or, if the library replaced the file, by its name.
 */
static void take_page(int fd, const struct text *path, struct outcome *outcome)
{
    outcome->no_page = "its live page could not be made";
    if (fd >= 0) {
        outcome->page = live_page_read(fd, &outcome->no_page);
    }
    if (outcome->page == NULL) {
        const int again = open(text_string(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (again >= 0) {
            outcome->page = live_page_read(again, &outcome->no_page);
            close(again);
        }
    }
    if (outcome->page != NULL && outcome->page->header.pid != (uint32_t)outcome->pid) {
        free(outcome->page);
        outcome->page = NULL;
        outcome->no_page = "the live page belongs to another process";
    }
}

/* A job stops when the terminal or somebody else says so, and the shell that started it must see
 * that; but we cannot tell whether the program will obey, so we stop after it has. */
struct job {
    pid_t pid;       // [const] the program
    int stop_signal; // [owner] what we were told to stop by, and did not yet; else 0
    bool is_stopped; // [owner] the program stands still
};

static bool is_stop(int number)
{
    return number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

/* LAUNCH-4: the kernel tells the whole foreground group of the terminal, so the program heard it;
 * but a hang-up goes to the leader of the session alone. */
static bool is_heard(const siginfo_t *info)
{
    const bool is_hang_up = info->si_signo == SIGHUP && getsid(0) == getpid();
    return info->si_code > 0 && !is_hang_up;
}

static void pass_on(struct job *job, const siginfo_t *info)
{
    const int number = info->si_signo;
    if (is_stop(number)) {
        job->stop_signal = number;
    } else if (number == SIGCONT) {
        job->stop_signal = 0;
    }
    if (is_heard(info)) {
        return;
    }
    if (info->si_code == SI_QUEUE) {
        sigqueue(job->pid, number, info->si_value);
    } else {
        kill(job->pid, number);
    }
}

/* Stop as the program did; when somebody continues us, it goes on as well. */
static void stop_with(struct job *job)
{
    sigset_t set;
    sigset_t before;
    sigemptyset(&set);
    sigaddset(&set, job->stop_signal);
    void (*const handler)(int) = signal(job->stop_signal, SIG_DFL);
    raise(job->stop_signal);
    sigprocmask(SIG_UNBLOCK, &set, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(job->stop_signal, handler);
    job->stop_signal = 0;
    job->is_stopped = false;
    kill(job->pid, SIGCONT);
}

/* What wait4 tells of the program; true when it has ended. */
static bool has_ended(struct job *job, struct outcome *outcome)
{
    const int flags = WNOHANG | WUNTRACED | WCONTINUED;
    while (wait4(job->pid, &outcome->status, flags, &outcome->usage) == job->pid) {
        if (WIFEXITED(outcome->status) || WIFSIGNALED(outcome->status)) {
            return true;
        }
        job->is_stopped = WIFSTOPPED(outcome->status);
    }
    return false;
}

/* Wait for the end of the child, looking at it from time to time and passing signals on. */
static void follow(const struct launch *launch, const sigset_t *signals, uint64_t begin_ns,
                   struct outcome *outcome)
{
    uint64_t pause_ns = LOOK_FIRST_NS;
    struct process process = {.pid = outcome->pid, .uid = geteuid()};
    struct job job = {.pid = outcome->pid};
    while (!has_ended(&job, outcome)) {
        if (job.is_stopped && job.stop_signal != 0) {
            stop_with(&job);
            continue;
        }
        const struct timespec pause = {.tv_nsec = (long)pause_ns};
        siginfo_t info;
        const int received = launch->library != NULL ? sigtimedwait(signals, &info, &pause)
                                                     : sigwaitinfo(signals, &info);
        if (received > 0 && received != SIGCHLD) {
            pass_on(&job, &info);
        }
        struct sample sample;
        family_look(&outcome->family, false);
        if (launch->series != NULL) {
            series_look(launch->series, &process, &sample);
        }
        if (tool_now_ns() - begin_ns > 200 * pause_ns && pause_ns < LOOK_LAST_NS) {
            pause_ns *= 2;
        }
    }
    outcome->elapsed_ns = tool_now_ns() - begin_ns;
}

/* Where the file's own name begins. */
static size_t name_at(const struct text *path)
{
    const char *const slash = strrchr(text_string(path), '/');
    return slash != NULL ? (size_t)(slash - text_string(path)) : 0;
}

static void supervise(const struct launch *launch, int start_fd, const sigset_t *signals,
                      struct outcome *outcome)
{
    struct text path = {0};
    const int page_fd = launch->library != NULL ? make_page_file(outcome->pid, &path) : -1;
    const uint64_t begin_ns = tool_now_ns();
    struct text directory = {0};
    text_put_bytes(&directory, text_string(&path), name_at(&path));
    outcome->family = (struct family){
        .id = (uint32_t)getpid(),
        .head = outcome->pid,
        .directory = page_fd >= 0 ? text_string(&directory) : NULL,
        .has_series = launch->series != NULL,
    };
    close(start_fd); // the child goes on
    follow(launch, signals, begin_ns, outcome);
    family_look(&outcome->family, true);
    outcome->family.directory = NULL;
    text_free(&directory);
    if (launch->library != NULL) {
        take_page(page_fd, &path, outcome);
        unlink(text_string(&path));
    }
    if (outcome->page != NULL && launch->series != NULL) {
        series_take_events(launch->series, outcome->page);
    }
    if (page_fd >= 0) {
        close(page_fd);
    }
    text_free(&path);
}

/* What came after the end of the program was for the program. */
static void drop_pending(const sigset_t *signals)
{
    const struct timespec now = {0};
    while (sigtimedwait(signals, NULL, &now) > 0) {
    }
}

void launch_run(const struct launch *launch, struct outcome *outcome)
{
    *outcome = (struct outcome){0};
    int start[2];
    int report[2];
    if (pipe2(start, O_CLOEXEC) != 0 || pipe2(report, O_CLOEXEC) != 0) {
        tool_die(TOOL_FAILED, "cannot make a pipe: %s", strerror(errno));
    }
    sigset_t signals;
    sigset_t given;
    sigfillset(&signals); // whatever comes is for the program
    sigprocmask(SIG_BLOCK, &signals, &given);
    fflush(NULL);
    outcome->pid = fork();
    if (outcome->pid < 0) {
        tool_die(TOOL_FAILED, "cannot fork: %s", strerror(errno));
    }
    if (outcome->pid == 0) {
        char byte = 0;
        close(start[1]);
        const ssize_t got = read(start[0], &byte, 1); // until the parent closes its end
        sigprocmask(SIG_SETMASK, &given, NULL);       // LAUNCH-3
        if (got != 0) {
            _exit(TOOL_FAILED);
        }
        execute(launch, report[1]);
    }
    close(start[0]);
    close(report[1]);
    signal(SIGCHLD,
           SIG_DFL); // we may have been started with it ignored, which would lose the status
    supervise(launch, start[1], &signals, outcome);
    if (read(report[0], &outcome->error, sizeof(outcome->error)) !=
        (ssize_t)sizeof(outcome->error)) {
        outcome->error = 0;
    }
    close(report[0]);
    drop_pending(&signals);
    sigprocmask(SIG_SETMASK, &given, NULL);
}

// ---- before and after ----

_Noreturn void launch_die_not_started(const char *name, int error)
{
    tool_die(error == ENOENT ? TOOL_NOT_FOUND : TOOL_NOT_EXECUTABLE, "%s: %s", name,
             strerror(error));
}

void launch_refuse_obstacles(const char *name)
{
    struct verdict verdict;
    preload_judge(name, &verdict);
    if (verdict.error != 0) {
        launch_die_not_started(name, verdict.error);
    }
    if (verdict.obstacles.bytes != 0) {
        const char *const sentences = text_string(&verdict.obstacles);
        tool_die(TOOL_FAILED, "%.*s", (int)strcspn(sentences, "\n"), sentences);
    }
    if (verdict.doubts.bytes != 0) {
        const char *const sentences = text_string(&verdict.doubts);
        tool_warn("%.*s", (int)strcspn(sentences, "\n"), sentences);
    }
    preload_verdict_free(&verdict);
}

void launch_find_library(struct text *library)
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

int launch_end_as(const struct outcome *outcome)
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
