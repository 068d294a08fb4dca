/* tracer.h - a process that another one stops and steps by ptrace. A program for the tracee
 * calls tracer_marker(), where it waits to be sent on. Whatever is refused or unexpected fails the
 * running claim; so does the end of the tracee. */
#ifndef TEST_SUPPORT_TRACER_H
#define TEST_SUPPORT_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/* Forks; the child is traced, with all threads it will make, and runs BODY up to its first marker.
 * -1, and a line that says why: ptrace is not allowed here. */
pid_t tracer_begin(void (*body)(void));
/* Kills it. */
void tracer_end(pid_t pid);

/* The next thread that the tracee makes, stopped at its first marker. */
pid_t tracer_new_thread(pid_t maker);

/* In the tracee. */
void tracer_marker(void);

/* Lets a stopped thread go on; SIGNAL is delivered to it, unless 0. */
void tracer_go(pid_t thread, int signal);
/* Executes one instruction. */
void tracer_step(pid_t thread);
/* Waits until the thread has stopped by a trap; returns its registers. */
struct user_regs_struct tracer_wait(pid_t thread);
/* The same, for so long at most; false: it runs on. */
bool tracer_wait_for(pid_t thread, unsigned milliseconds);
/* Lets it go on to its next marker. */
void tracer_go_to_marker(pid_t thread);
bool tracer_is_at_marker(const struct user_regs_struct *regs);

struct user_regs_struct tracer_regs(pid_t thread);
uintptr_t tracer_thread_pointer(pid_t thread);

/* What of the registers each kind of CPU names by itself. */
static inline uintptr_t tracer_code(const struct user_regs_struct *regs)
{
#if defined(__aarch64__)
    return regs->pc;
#else
    return regs->rip;
#endif
}

/* Where the stack ends once a call has returned that is at its first instruction. */
static inline uintptr_t tracer_stack_behind(const struct user_regs_struct *regs)
{
#if defined(__aarch64__)
    return regs->sp;
#else
    return regs->rsp + 8;
#endif
}

static inline bool tracer_has_stack(const struct user_regs_struct *regs, uintptr_t stack)
{
#if defined(__aarch64__)
    return regs->sp == stack;
#else
    return regs->rsp == stack;
#endif
}

/* The return address of a call that is at its first instruction. */
uintptr_t tracer_return_address(pid_t thread, const struct user_regs_struct *regs);
uint64_t tracer_peek(pid_t thread, uintptr_t address);
void tracer_poke(pid_t thread, uintptr_t address, uint64_t value);

/* One breakpoint: the tracee stops in front of the instruction. Some stopped thread plants it. */
struct tracer_breakpoint {
    uintptr_t address;
    uint64_t text;
};
struct tracer_breakpoint tracer_plant(pid_t thread, uintptr_t address);
void tracer_remove(pid_t thread, struct tracer_breakpoint breakpoint);
/* True when REGS are those of a thread that has hit it; it is set back in front of it then. */
bool tracer_has_hit(pid_t thread, struct user_regs_struct *regs,
                    struct tracer_breakpoint breakpoint);

#endif
