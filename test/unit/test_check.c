/* test_check.c - what a broken invariant ends in. */
#include "base/check.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void return_at_once(int signal_number)
{
    (void)signal_number;
}

/* What `fails` writes to stderr in a child that blocks SIGABRT and has a handler for it; how the
 * child ended. */
static int run(void (*fails)(void), char text[512])
{
    int ends[2];
    int status;
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGABRT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGABRT, return_at_once);
        dup2(ends[1], STDERR_FILENO);
        fails();
        _exit(0);
    }
    close(ends[1]);
    ssize_t bytes = read(ends[0], text, 511);
    text[bytes > 0 ? bytes : 0] = '\0';
    close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

static void verify_what_is_false(void)
{
    VERIFY(1 + 1 == 3);
}

/* CHECK-1: bug reports quote this line; a handler that returns must not let the process go on. */
Test(check, a_broken_invariant_is_one_line_and_an_abort_that_nothing_stops)
{
    char text[512];
    int status = run(verify_what_is_false, text);
    cr_assert(WIFSIGNALED(status));
    cr_assert_eq(WTERMSIG(status), SIGABRT);
    const char *expected = "myalloc: fatal: broken invariant: 1 + 1 == 3 at ";
    cr_assert_eq(strncmp(text, expected, strlen(expected)), 0);
    cr_assert_not_null(strstr(text, "test_check.c:"));
    cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1);
}

static void assert_what_is_false(void)
{
    ASSERT(getpid() == 0);
}

/* An ASSERT that release builds keep would cost all programs. */
Test(check, assertions_are_of_debug_builds_alone)
{
    char text[512];
    int status = run(assert_what_is_false, text);
    cr_assert_eq(WIFSIGNALED(status), CONFIG_DEBUG);
}

static void verify_what_is_true(void)
{
    VERIFY(getpid() != 0);
}

Test(check, what_holds_says_nothing)
{
    char text[512];
    int status = run(verify_what_is_true, text);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(text[0], '\0');
}
