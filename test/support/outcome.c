/* outcome.c - run a function in a child and keep what it wrote. */
#include "support/outcome.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/harness.h"

static void read_all(int fd, char *text, size_t bytes_max)
{
    size_t filled = 0;
    ssize_t got = 1;
    while (got > 0 && filled < bytes_max - 1) {
        got = read(fd, text + filled, bytes_max - 1 - filled);
        filled += got > 0 ? (size_t)got : 0;
    }
    text[filled] = '\0';
}

/* qemu-user tells of signals that end what it runs, where it runs the tests: no line of ours. */
static void drop_line_of_emulator(char *text)
{
    char *line = getenv("QEMU_LD_PREFIX") != NULL
                     ? strstr(text, "qemu: uncaught target signal 6 (Aborted)")
                     : NULL;
    if (line != NULL) {
        *line = '\0';
    }
}

void outcome_of_function(struct outcome *outcome, void (*run)(void *), void *context, int fd)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], fd);
        close(ends[0]);
        close(ends[1]);
        run(context);
        _exit(0);
    }
    close(ends[1]);
    read_all(ends[0], outcome->text, sizeof outcome->text);
    drop_line_of_emulator(outcome->text);
    close(ends[0]);
    REQUIRE(waitpid(pid, &outcome->status, 0) == pid);
}
