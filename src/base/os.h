/* os.h - our system calls: memory is in os_vm.h, files in os_file.h, what reports need in
 * os_report.h, the rest here. Others: the write in quiet.c, the reads in proc_maps.c, the abort in
 * check.c.
 *
 * Nothing here changes errno. A failure is reported as NULL or false.
 */
#ifndef BASE_OS_H
#define BASE_OS_H

#include "base/compiler.h"
#include "base/os_call.h"
#include "base/os_file.h"
#include "base/os_report.h"
#include "base/os_vm.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Blocks all signals of this thread; *old is the argument for os_signals_restore.
void os_signals_block(uint64_t *old);
void os_signals_restore(const uint64_t *old);

// Installs a handler for a fault; *before: the previous action. It runs on the stack that the
// previous handler asked for; if there was none, on the alternate stack, if any. It blocks no
// signal.
COLD void os_signal_take(int signal, void (*handler)(int, siginfo_t *, void *),
                         struct sigaction *before);
// Installs a handler for a signal that the program does not handle; system calls that it interrupts
// are restarted. False: the program has an action for it, or the signal cannot be handled.
COLD bool os_signal_listen(int signal, void (*handler)(int, siginfo_t *, void *));
COLD void os_signal_default(int signal);
// In a handler, until it returns: blocks a set of signals, and one more unless it is 0.
void os_signals_hold(const sigset_t *set, int signal);
// In a handler: delivers the signal again, with the same information, once the handler returns.
void os_signal_again(int signal, const siginfo_t *info);
// True if the interrupted code caused the signal itself, and would do so again; false if it was
// sent.
bool os_is_fault(const siginfo_t *info, const void *context);
const void *os_context_code(const void *context); // code address of the fault; NULL: unknown

void os_futex_wait(_Atomic(uint32_t) *word, uint32_t value);
void os_futex_wake(_Atomic(uint32_t) *word);
void os_sleep_ms(unsigned ms);

// A monotonic clock in steps of some milliseconds; works where exact clocks are forbidden.
uint64_t os_now_ns(void);
uint64_t os_exact_ns(void); // exact, by a system call: only for features that the user requests

// The last component of the executed path: for a script its own name, not the interpreter's.
const char *os_program_name(void);
// The name of the running file: for a script the interpreter, for a link its target; "" if there is
// no /proc.
struct os_name {
    char text[4096]; // PATH_MAX: the whole path
};
COLD const char *os_executable_name(struct os_name *name);

// Aborts the restartable sequences that threads of the process are in. False: not supported, or
// forbidden. Only on explicit requests: a sandbox may kill the process for it.
bool os_restart_sequences(void);

uint64_t os_boot_ns(void); // since boot, including suspend: comparable between processes
uint64_t os_seconds(void); // since 1970
uint32_t os_process_id(void);
// Ends the process at once: exit handlers do not run.
NORETURN void os_exit(int status);
uint32_t os_thread_id(void);
// As libc knows it: no system call. In a child of vfork it is that of its parent.
uint32_t os_thread_id_of_libc(void);
uint32_t os_user_id(void); // effective

#endif
