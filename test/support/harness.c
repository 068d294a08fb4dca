/* harness.c - main() of every C test program: runs the registered claims, one process each. */
#include "support/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/process.h"

enum { SECONDS_DEFAULT = 100 };

static struct test *g_first;
static struct test **g_end = &g_first;

/* Present only in programs that are linked with the floor archives. */
__attribute__((weak)) void *api_malloc(size_t size);

void harness_register(struct test *test)
{
    *g_end = test;
    g_end = &test->next;
}

_Noreturn void harness_fail(const char *file, int line, const char *condition)
{
    dprintf(STDOUT_FILENO, "# %s:%d: %s\n", file, line, condition);
    _exit(1);
}

void harness_equal(const char *file, int line, const char *what, long long actual,
                   long long expected)
{
    if (actual != expected) {
        dprintf(STDOUT_FILENO, "# %s:%d: %s is %lld, not %lld\n", file, line, what, actual,
                expected);
        _exit(1);
    }
}

bool harness_has_library(void)
{
    return api_malloc != NULL || getenv("LIB") != NULL;
}

size_t harness_page_bytes(void)
{
    const char *forced = getenv("TEST_PAGE_BYTES");
    return forced != NULL ? strtoul(forced, NULL, 10) : (size_t)sysconf(_SC_PAGESIZE);
}

bool harness_uses_break(void)
{
    const char *options = getenv("MYALLOC_CONF");
    return options == NULL || strstr(options, "brk:0") == NULL;
}

static bool library_is_where_it_should_be(void)
{
    const char *lib = getenv("LIB");
    return lib == NULL || process_maps_file(strrchr(lib, '/') ? strrchr(lib, '/') : lib);
}

/* Leads a process group of its own, so that nothing it started outlives its time. */
static _Noreturn void run_as_child(const struct test *test, const sigset_t *usual_signals)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    sigprocmask(SIG_SETMASK, usual_signals, NULL);
    test->run();
    exit(0);
}

static bool test_passes(const struct test *test)
{
    const char *seconds = getenv("TEST_SECONDS");
    const struct timespec patience = {.tv_sec = seconds ? atoi(seconds) : SECONDS_DEFAULT};
    sigset_t child_ended;
    sigset_t usual_signals;
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_ended, &usual_signals);
    pid_t pid = fork();
    if (pid == 0) {
        run_as_child(test, &usual_signals);
    }
    int status = -1;
    if (pid > 0 && sigtimedwait(&child_ended, NULL, &patience) < 0) {
        dprintf(STDOUT_FILENO, "# not done within %d seconds\n", (int)patience.tv_sec);
        kill(-pid, SIGKILL);
    }
    if (pid > 0) {
        waitpid(pid, &status, 0);
    }
    if (WIFSIGNALED(status)) {
        dprintf(STDOUT_FILENO, "# ended by signal %d (%s)\n", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    }
    return status == 0;
}

/* The file that TEST_EXCEPT names has a claim that this group does not make at the start of some
 * lines, and why behind it. */
static bool is_left_out(const char *name)
{
    static char text[8192];
    const char *path = getenv("TEST_EXCEPT");
    if (path != NULL && text[0] == '\0') {
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0 || read(file, text, sizeof text - 1) <= 0) {
            dprintf(STDOUT_FILENO, "not ok - %s can be read\n", path);
            _exit(1);
        }
        close(file);
    }
    size_t bytes = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, bytes) == 0 && (line[bytes] == ':')) {
            return true;
        }
        if (*line == '\0') {
            break;
        }
    }
    return false;
}

static int run_all(void)
{
    int failed_count = 0;
    for (const struct test *test = g_first; test != NULL; test = test->next) {
        if (is_left_out(test->name)) {
            dprintf(STDOUT_FILENO, "# left out: %s\n", test->name);
            continue;
        }
        bool passed = test_passes(test);
        dprintf(STDOUT_FILENO, "%s - %s\n", passed ? "ok" : "not ok", test->name);
        failed_count += passed ? 0 : 1;
    }
    return failed_count == 0 ? 0 : 1;
}

/* For the debugger: one claim by name, in this very process. */
static int run_one(const char *name)
{
    for (const struct test *test = g_first; test != NULL; test = test->next) {
        if (strcmp(test->name, name) == 0) {
            test->run();
            return 0;
        }
    }
    dprintf(STDERR_FILENO, "no such claim: %s\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    if (!library_is_where_it_should_be()) {
        dprintf(STDOUT_FILENO, "not ok - %s is loaded\n", getenv("LIB"));
        return 1;
    }
    return argc > 1 ? run_one(argv[1]) : run_all();
}
