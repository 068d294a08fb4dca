/* signals.c - sends signals to `myalloc run` as supervisors and terminals do, and looks what its
 * program gets. Usage: signals MYALLOC; signals victim; signals die SIGNAL. */
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t g_count;
static volatile sig_atomic_t g_first; // the signal that is counted
static volatile sig_atomic_t g_value;
static const char *g_self;
static const char *g_myalloc;
static int g_failed;

static void pause_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&time, &time) != 0) {
    }
}

/* ---- the program ---- */

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    g_first = g_first == 0 ? number : g_first;
    g_count += number == g_first ? 1 : 0;
    g_value = info->si_value.sival_int;
}

static bool is_left(int number)
{
    return number == SIGKILL || number == SIGSTOP || number == SIGCHLD || number == SIGTSTP ||
           (number > SIGSYS && number < SIGRTMIN);
}

/* Exits with the number of signals that came within a moment after the first, by 5. */
static int victim(void)
{
    for (int number = 1; number < SIGRTMAX; number++) {
        const struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
        if (!is_left(number)) {
            sigaction(number, &action, NULL);
        }
    }
    puts("ready");
    fflush(stdout);
    for (int i = 0; i < 1000 && g_count == 0; i++) {
        pause_ms(5);
    }
    pause_ms(100);
    printf("value %d\n", (int)g_value);
    return 5 * g_count;
}

/* ---- the supervisor ---- */

static pid_t start(int *out, char *word, char *argument)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        exit(9);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        dup2(ends[1], STDOUT_FILENO);
        const int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        execl(g_myalloc, g_myalloc, "run", g_self, word, argument, (char *)NULL);
        _exit(9);
    }
    if (pid < 0) { // kill() would take it for all processes
        exit(9);
    }
    close(ends[1]);
    *out = ends[0];
    return pid;
}

/* The output up to the end of a line, or of the program. */
static void read_line(int fd, char *line, size_t bytes)
{
    size_t used = 0;
    while (used + 1 < bytes && read(fd, line + used, 1) == 1 && line[used] != '\n') {
        used++;
    }
    line[used] = 0;
}

static void tell(bool is_right, const char *what, int number)
{
    printf("%s%s %d\n", is_right ? "" : "WRONG: ", what, number);
    g_failed += is_right ? 0 : 1;
}

static void test_passed_on(int number)
{
    char line[64];
    int out = -1;
    const pid_t pid = start(&out, "victim", NULL);
    read_line(out, line, sizeof(line));
    if (number >= SIGRTMIN) {
        sigqueue(pid, number, (union sigval){.sival_int = 77});
    } else {
        kill(pid, number);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    read_line(out, line, sizeof(line));
    close(out);
    const bool has_value = number < SIGRTMIN || strcmp(line, "value 77") == 0;
    tell(WIFEXITED(status) && WEXITSTATUS(status) == 5 && has_value, "passed on once", number);
}

static void test_dies_alike(int number)
{
    char word[16];
    int out = -1;
    snprintf(word, sizeof(word), "%d", number);
    const pid_t pid = start(&out, "die", word);
    int status = 0;
    waitpid(pid, &status, 0);
    close(out);
    tell(WIFSIGNALED(status) && WTERMSIG(status) == number, "dies as its program", number);
}

/* Both stop, and both go on. */
static void test_stops(void)
{
    char line[64];
    int out = -1;
    int status = 0;
    const pid_t pid = start(&out, "victim", NULL);
    read_line(out, line, sizeof(line));
    kill(pid, SIGTSTP);
    waitpid(pid, &status, WUNTRACED);
    tell(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP, "stops", SIGTSTP);
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    tell(WIFEXITED(status) && WEXITSTATUS(status) % 5 == 0, "goes on", SIGCONT);
    close(out);
}

/* Of what the terminal sends to all, the program gets one, also when we are late to hear of it: two
 * at once would look like one. */
static void test_terminal(char key, int number)
{
    char line[64] = "";
    int terminal = -1;
    const pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
    if (pid == 0) {
        execl(g_myalloc, g_myalloc, "run", g_self, "victim", (char *)NULL);
        _exit(9);
    }
    if (pid < 0) { // kill() would take it for all processes
        printf("# skipped: signal %d of a terminal: none can be made here (/dev/pts is missing?)\n",
               number);
        return;
    }
    read_line(terminal, line, sizeof(line));
    kill(pid, SIGSTOP);
    pause_ms(20);
    if (write(terminal, &key, 1) != 1) {
        exit(9);
    }
    pause_ms(40);
    kill(pid, SIGCONT);
    while (read(terminal, line, sizeof(line)) > 0) {
    }
    int status = 0;
    waitpid(pid, &status, 0);
    close(terminal);
    tell(WIFEXITED(status) && WEXITSTATUS(status) == 5, "from the terminal once", number);
}

int main(int argc, char **argv)
{
    g_self = argv[0];
    g_myalloc = argc > 1 ? argv[1] : "";
    if (strcmp(g_myalloc, "victim") == 0) {
        return victim();
    }
    if (argc > 2 && strcmp(g_myalloc, "die") == 0) {
        signal(atoi(argv[2]), SIG_DFL);
        raise(atoi(argv[2]));
        return 0;
    }
    for (int number = 1; number < SIGRTMAX; number++) {
        if (!is_left(number) && (number < SIGRTMIN || number % 10 == 0)) {
            test_passed_on(number);
        }
    }
    static const int deadly[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGABRT, SIGFPE,
                                 SIGKILL, SIGSEGV, SIGUSR1, SIGTERM, SIGPIPE, 40};
    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
        test_dies_alike(deadly[i]);
    }
    test_stops();
    test_terminal(3, SIGINT);
    test_terminal(28, SIGQUIT);
    return g_failed != 0;
}
