/* chained.c HANDLER SOURCE SIGNAL - what a process has for SIGSEGV and SIGBUS before any library
 * starts, and how it is called; prints what happens, for a comparison. */
#include <signal.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int g_signals[2] = {SIGSEGV, SIGBUS};
static char g_stack[65536];
static sigjmp_buf g_back;
static volatile bool g_faults;
static bool g_has_info;

static void handle(int signal_number, siginfo_t *info, void *context)
{
    char here;
    sigset_t held;
    (void)context;
    sigprocmask(SIG_BLOCK, NULL, &held);
    dprintf(1, "handler: signal %d code %d held %d other %d own stack %d\n", signal_number,
            g_has_info ? info->si_code : 0, sigismember(&held, signal_number),
            sigismember(&held, SIGUSR1), &here >= g_stack && &here < g_stack + sizeof g_stack);
    if (g_faults) {
        siglongjmp(g_back, 1);
    }
}

static int flags_of(const char *handler)
{
    return (strstr(handler, "info") != NULL ? SA_SIGINFO : 0) |
           (strstr(handler, "nodefer") != NULL ? SA_NODEFER : 0) |
           (strstr(handler, "once") != NULL ? (int)SA_RESETHAND : 0) |
           (strstr(handler, "stack") != NULL ? SA_ONSTACK : 0);
}

static void begin(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "none") == 0) {
        return;
    }
    g_has_info = strstr(argv[1], "info") != NULL;
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = flags_of(argv[1])};
    if (strcmp(argv[1], "ignored") == 0) {
        action.sa_handler = SIG_IGN;
    }
    if (strstr(argv[1], "mask") != NULL) {
        sigaddset(&action.sa_mask, SIGUSR1);
    }
    for (size_t i = 0; i < 2; i++) {
        sigaction(g_signals[i], &action, NULL);
    }
}

/* Before the constructors of libraries. */
__attribute__((section(".preinit_array"), used)) static void (*const g_begin)(int, char **) = begin;

static void queue(int signal_number, int code)
{
    siginfo_t info = {.si_signo = signal_number, .si_code = code};
    syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), signal_number, &info);
}

static void fault_of(int signal_number)
{
    char *at = NULL;
    if (signal_number == SIGBUS) { // behind the end of a file
        FILE *empty = tmpfile();
        at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(empty), 0);
    }
    *(volatile char *)at = 1;
}

static void bring(const char *source, int signal_number)
{
    const union sigval value = {.sival_int = 5};
    if (strcmp(source, "raise") == 0) {
        raise(signal_number);
    } else if (strcmp(source, "kill") == 0) {
        kill(getpid(), signal_number);
    } else if (strcmp(source, "sigqueue") == 0) {
        sigqueue(getpid(), signal_number, value);
    } else if (strncmp(source, "code", 4) == 0) {
        queue(signal_number, atoi(source + 4));
    } else {
        g_faults = true;
        fault_of(signal_number);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        return 2;
    }
    const stack_t stack = {.ss_sp = g_stack, .ss_size = sizeof g_stack};
    sigaltstack(&stack, NULL);
    free(malloc(10));
    for (volatile int round = 0; round < 2; round++) {
        if (sigsetjmp(g_back, 1) == 0) {
            bring(argv[2], atoi(argv[3]));
        }
        dprintf(1, "and back\n");
    }
    return 7;
}
