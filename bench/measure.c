/*
 * measure: runs one command and writes what it cost, seen from outside.
 *     measure [-o FILE] [-t TIMEOUT_S] [-w SAMPLES -i INTERVAL_MS] -- COMMAND ARG...
 * FILE gets one line: wall=s user=s sys=s peak_kib=n minor_faults=n major_faults=n exit=n signal=n
 * timed_out=0|1. The figures are wait4's, of the command and the children it waited for.
 *
 * Why a program of its own and not Python's os.wait4: a process inherits the peak RSS of the one
 * that forked it, so under Python every command would seem to use at least Python's memory. This
 * program is static and tiny, so the floor is a few hundred KiB, and LD_PRELOAD in its environment
 * concerns the command only.
 *
 * With -w the RSS of the command (not of its children) is noted every INTERVAL_MS as "seconds kib".
 * Status: 0 when the command could be run, whatever its own status; 125 for our own failure.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_OWN = 125, EXIT_EXEC = 127 };

struct plan {
    const char *result_file, *samples_file;
    double timeout_seconds;
    long interval_ms;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
    exit(EXIT_OWN);
}

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static FILE *open_file(const char *name)
{
    FILE *out = name == NULL ? stderr : fopen(name, "we");
    if (out == NULL) {
        die(name);
    }
    return out;
}

static pid_t start(char **command, const sigset_t *signals)
{
    pid_t pid = fork();
    if (pid < 0) {
        die("fork");
    }
    if (pid == 0) {
        setpgid(0, 0);
        sigprocmask(SIG_UNBLOCK, signals, NULL);
        execvp(command[0], command);
        fprintf(stderr, "measure: cannot run %s: %s\n", command[0], strerror(errno));
        _exit(EXIT_EXEC);
    }
    setpgid(pid, pid); // here too: whichever of the two comes first
    return pid;
}

static void sample(pid_t pid, FILE *out)
{
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/statm", (int)pid);
    FILE *statm = fopen(name, "re");
    unsigned long pages = 0;
    if (statm != NULL) {
        if (fscanf(statm, "%*u %lu", &pages) == 1) {
            fprintf(out, "%.6f %lu\n", now_seconds(),
                    pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024);
        }
        fclose(statm);
    }
}

// Waits for the command; false when it was killed for its time.
static bool await_end(pid_t pid, const struct plan *plan, const sigset_t *signals, double started)
{
    FILE *samples = plan->samples_file != NULL ? open_file(plan->samples_file) : NULL;
    const long step_ms = samples != NULL ? plan->interval_ms : 1000;
    const struct timespec step = {step_ms / 1000, step_ms % 1000 * 1000000};
    bool in_time = true;
    siginfo_t ended = {0};
    while (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid == 0) {
        if (in_time && now_seconds() - started > plan->timeout_seconds) {
            in_time = false;
            kill(-pid, SIGKILL);
        }
        if (samples != NULL) {
            sample(pid, samples);
        }
        sigtimedwait(signals, NULL, &step);
    }
    if (samples != NULL) {
        fclose(samples);
    }
    return in_time;
}

static void write_result(const struct plan *plan, double wall, int status, bool in_time,
                         const struct rusage *usage)
{
    FILE *out = open_file(plan->result_file);
    fprintf(out,
            "wall=%.6f user=%.6f sys=%.6f peak_kib=%ld minor_faults=%ld major_faults=%ld exit=%d "
            "signal=%d timed_out=%d\n",
            wall, (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec * 1e-6,
            (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec * 1e-6,
            usage->ru_maxrss, usage->ru_minflt, usage->ru_majflt,
            WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            WIFSIGNALED(status) ? WTERMSIG(status) : 0, !in_time);
}

int main(int argc, char **argv)
{
    struct plan plan = {NULL, NULL, 600, 10};
    for (int option; (option = getopt(argc, argv, "+o:t:w:i:")) != -1;) {
        switch (option) {
        case 'o':
            plan.result_file = optarg;
            break;
        case 't':
            plan.timeout_seconds = strtod(optarg, NULL);
            break;
        case 'w':
            plan.samples_file = optarg;
            break;
        case 'i':
            plan.interval_ms = strtol(optarg, NULL, 10);
            break;
        default:
            return EXIT_OWN;
        }
    }
    if (optind == argc || plan.interval_ms < 1) {
        fprintf(stderr, "usage: measure [-o FILE] [-t SECONDS] [-w FILE -i MS] -- COMMAND...\n");
        return EXIT_OWN;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    double started = now_seconds();
    pid_t pid = start(argv + optind, &signals);
    bool in_time = await_end(pid, &plan, &signals, started);
    double wall = now_seconds() - started;
    int status;
    struct rusage usage;
    if (wait4(pid, &status, 0, &usage) != pid) {
        die("wait4");
    }
    write_result(&plan, wall, status, in_time, &usage);
    return 0;
}
