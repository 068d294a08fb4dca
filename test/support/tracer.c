/* tracer.c - ptrace, for a claim that stops threads where it wants. */
#include "support/tracer.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/harness.h"

#if defined(__aarch64__)
#define TRAP       "brk #0\n" // the thread stops in front of it
#define TRAP_TEXT  0xd4200000U
#define TRAP_BYTES 4
#else
#define TRAP       "int3\n" // the thread stops behind it
#define TRAP_TEXT  0xccU
#define TRAP_BYTES 1
#endif

extern const char tracer_marker_end[]; // the address behind the trap

__asm__(".text\n"
        ".globl tracer_marker\n"
        ".type tracer_marker, %function\n"
        "tracer_marker:\n" TRAP ".globl tracer_marker_end\n"
        "tracer_marker_end:\n"
        "ret\n"
        ".size tracer_marker, . - tracer_marker\n");

static void fail_ended(pid_t thread, int status)
{
    if (WIFEXITED(status)) {
        dprintf(STDOUT_FILENO, "# thread %d ended: status %d\n", thread, WEXITSTATUS(status));
    } else {
        dprintf(STDOUT_FILENO, "# thread %d: signal %d\n", thread,
                WIFSTOPPED(status) ? WSTOPSIG(status) : WTERMSIG(status));
    }
    _exit(1);
}

void tracer_go(pid_t thread, int signal)
{
    REQUIRE_EQUAL(ptrace(PTRACE_CONT, thread, NULL, (void *)(intptr_t)signal), 0);
}

void tracer_step(pid_t thread)
{
    REQUIRE_EQUAL(ptrace(PTRACE_SINGLESTEP, thread, NULL, NULL), 0);
}

/* Stops of threads that nobody has waited for yet. */
static struct {
    pid_t thread;
    int status;
} g_pending[8];

static bool take_pending(pid_t thread, int *status)
{
    for (size_t i = 0; i < COUNT_OF(g_pending); i++) {
        if (g_pending[i].thread == thread) {
            *status = g_pending[i].status;
            g_pending[i].thread = 0;
            return true;
        }
    }
    return false;
}

static void keep_pending(pid_t thread, int status)
{
    for (size_t i = 0; i < COUNT_OF(g_pending); i++) {
        if (g_pending[i].thread == 0) {
            g_pending[i].thread = thread;
            g_pending[i].status = status;
            return;
        }
    }
    REQUIRE(!"so many stops");
}

/* Of whichever thread: when one ends them all, the first one to be told of may be another. */
static bool wait_once(pid_t thread, int *status, int flags)
{
    if (take_pending(thread, status)) {
        return true;
    }
    pid_t stopped = waitpid(-1, status, __WALL | flags);
    REQUIRE(stopped >= 0);
    if (stopped == 0) {
        return false;
    }
    if (!WIFSTOPPED(*status)) {
        fail_ended(stopped, *status);
    }
    if (stopped != thread) {
        keep_pending(stopped, *status);
    }
    return stopped == thread;
}

static int wait_for_stop(pid_t thread)
{
    int status;
    while (!wait_once(thread, &status, 0)) {
    }
    return status;
}

static void set_regs(pid_t thread, struct user_regs_struct *regs)
{
    struct iovec all = {regs, sizeof *regs};
    REQUIRE_EQUAL(ptrace(PTRACE_SETREGSET, thread, (void *)NT_PRSTATUS, &all), 0);
}

/* Has stopped by a trap; a marker is behind it then. */
static void see_trap(pid_t thread, int status)
{
    if (WSTOPSIG(status) != SIGTRAP) {
        fail_ended(thread, status);
    }
#if defined(__aarch64__)
    struct user_regs_struct regs = tracer_regs(thread);
    if (regs.pc == (uintptr_t)tracer_marker) {
        regs.pc += TRAP_BYTES;
        set_regs(thread, &regs);
    }
#endif
}

struct user_regs_struct tracer_wait(pid_t thread)
{
    see_trap(thread, wait_for_stop(thread));
    return tracer_regs(thread);
}

bool tracer_wait_for(pid_t thread, unsigned milliseconds)
{
    const struct timespec pause = {0, 20000};
    struct timespec begin;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (;;) {
        int status;
        if (wait_once(thread, &status, WNOHANG)) {
            see_trap(thread, status);
            return true;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        if ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 >=
            (long)milliseconds) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
}

bool tracer_is_at_marker(const struct user_regs_struct *regs)
{
    return tracer_code(regs) == (uintptr_t)tracer_marker_end;
}

void tracer_go_to_marker(pid_t thread)
{
    tracer_go(thread, 0);
    struct user_regs_struct regs = tracer_wait(thread);
    REQUIRE(tracer_is_at_marker(&regs));
}

pid_t tracer_begin(void (*body)(void))
{
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(77);
        }
        raise(SIGSTOP);
        body();
        _exit(0);
    }
    int status;
    REQUIRE(pid > 0); // kill() would take -1 for all processes
    REQUIRE_EQUAL(waitpid(pid, &status, __WALL), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        dprintf(STDOUT_FILENO, "# skipped: ptrace is refused here\n");
        return -1;
    }
    REQUIRE(WIFSTOPPED(status));
    REQUIRE_EQUAL(ptrace(PTRACE_SETOPTIONS, pid, NULL,
                         (void *)(intptr_t)(PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL)),
                  0);
    return pid;
}

void tracer_end(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR) {
    }
}

pid_t tracer_new_thread(pid_t maker)
{
    unsigned long made;
    tracer_go(maker, 0);
    int status = wait_for_stop(maker);
    REQUIRE_EQUAL(status >> 8, SIGTRAP | PTRACE_EVENT_CLONE << 8);
    REQUIRE_EQUAL(ptrace(PTRACE_GETEVENTMSG, maker, NULL, &made), 0);
    pid_t thread = (pid_t)made;
    REQUIRE_EQUAL(WSTOPSIG(wait_for_stop(thread)), SIGSTOP);
    return thread;
}

struct user_regs_struct tracer_regs(pid_t thread)
{
    struct user_regs_struct regs;
    struct iovec all = {&regs, sizeof regs};
    REQUIRE_EQUAL(ptrace(PTRACE_GETREGSET, thread, (void *)NT_PRSTATUS, &all), 0);
    return regs;
}

uintptr_t tracer_thread_pointer(pid_t thread)
{
#if defined(__aarch64__)
    uintptr_t pointer;
    struct iovec all = {&pointer, sizeof pointer};
    REQUIRE_EQUAL(ptrace(PTRACE_GETREGSET, thread, (void *)NT_ARM_TLS, &all), 0);
    return pointer;
#else
    return tracer_regs(thread).fs_base;
#endif
}

uintptr_t tracer_return_address(pid_t thread, const struct user_regs_struct *regs)
{
#if defined(__aarch64__)
    (void)thread;
    return regs->regs[30];
#else
    return tracer_peek(thread, regs->rsp);
#endif
}

uint64_t tracer_peek(pid_t thread, uintptr_t address)
{
    errno = 0;
    long value = ptrace(PTRACE_PEEKDATA, thread, (void *)address, NULL);
    REQUIRE_EQUAL(errno, 0);
    return (uint64_t)value;
}

void tracer_poke(pid_t thread, uintptr_t address, uint64_t value)
{
    REQUIRE_EQUAL(ptrace(PTRACE_POKEDATA, thread, (void *)address, (void *)value), 0);
}

struct tracer_breakpoint tracer_plant(pid_t thread, uintptr_t address)
{
    struct tracer_breakpoint breakpoint = {address, tracer_peek(thread, address)};
    uint64_t kept = ~(uint64_t)0 << 8 * TRAP_BYTES;
    tracer_poke(thread, address, (breakpoint.text & kept) | TRAP_TEXT);
    return breakpoint;
}

void tracer_remove(pid_t thread, struct tracer_breakpoint breakpoint)
{
    tracer_poke(thread, breakpoint.address, breakpoint.text);
}

bool tracer_has_hit(pid_t thread, struct user_regs_struct *regs,
                    struct tracer_breakpoint breakpoint)
{
#if defined(__aarch64__)
    (void)thread;
    return regs->pc == breakpoint.address;
#else
    if (regs->rip != breakpoint.address + 1) {
        return false;
    }
    regs->rip--;
    set_regs(thread, regs);
    return true;
#endif
}
