/* os.h - every system call that we make (but the write in line.c, the reads in proc_maps.c and the
 * abort in check.c): memory in os_vm.h, files in os_file.h, and here the rest.
 *
 * Nothing here changes errno. Failures are NULL or false.
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

// Holds back all signals of this thread; *old is what os_signals_restore needs.
void os_signals_block(uint64_t *old);
void os_signals_restore(const uint64_t *old);

// A handler of a fault: for this signal, on the stack that *before, what the process had, asked
// for; where that is no handler, on its own stack when there is one. It holds no signal back.
COLD void os_signal_take(int signal, void (*handler)(int, siginfo_t *, void *),
                         struct sigaction *before);
// A handler of a signal that the program has none for; system calls that it interrupts go on.
// False: there is one, or the signal cannot be taken.
COLD bool os_signal_listen(int signal, void (*handler)(int, siginfo_t *, void *));
COLD void os_signal_default(int signal);
// In a handler, until it returns: holds back a set of signals, and one, unless 0.
void os_signals_hold(const sigset_t *set, int signal);
// In a handler: the signal comes again, as it came, when the handler has returned.
void os_signal_again(int signal, const siginfo_t *info);
// True for what the interrupted code did itself, and would do again; not for what was sent.
bool os_is_fault(const siginfo_t *info, const void *context);
const void *os_context_code(const void *context); // where the fault happened; NULL: unknown

void os_futex_wait(_Atomic(uint32_t) *word, uint32_t value);
void os_futex_wake(_Atomic(uint32_t) *word);
void os_sleep_ms(unsigned ms);

// Monotonic, in steps of some milliseconds; works where the exact clocks are forbidden.
uint64_t os_now_ns(void);
uint64_t os_exact_ns(void); // the same clock, by a system call: for features that are asked for

// The last part of the path that was executed: of a script its own name, not the interpreter's.
const char *os_program_name(void);
// The name of the file that runs: of a script the interpreter, of a link what it leads to; "" when
// /proc is not there.
struct os_name {
    char text[4096]; // PATH_MAX: the whole path
};
COLD const char *os_executable_name(struct os_name *name);

// Sends every thread of the process that is inside of a restartable sequence to its abort address.
// False: the kernel cannot, or may not. Only on explicit requests: a sandbox may kill for it.
bool os_restart_sequences(void);

uint64_t os_boot_ns(void); // since boot, sleep included: comparable between processes
uint64_t os_seconds(void); // since 1970
uint32_t os_process_id(void);
// Ends the process as it is: no handlers.
NORETURN void os_exit(int status);
uint32_t os_thread_id(void);
uint32_t os_user_id(void); // effective

#endif
