/* check.c - ends a process in which an invariant is broken.
 *
 * Owns:       nothing.
 * Threads:    any, in any state.
 * Locks:      none.
 * Invariants: CHECK-1  one line, one write, then SIGABRT.
 *
 * Nothing here may fail an assertion: it uses only raw system calls and base/line.c.
 */
#include "base/check.h"

#include "base/line.h"
#include "base/raw_call.h"

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

void check_abort(void)
{
    const uint64_t mask = 1UL << (SIGABRT - 1);
    const uint64_t by_default[4] = {0}; // the kernel's struct sigaction: SIG_DFL, no flags, no mask
    for (;;) {
        long process = raw_call(SYS_getpid, 0, 0, 0, 0);
        raw_call(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&mask, 0, sizeof mask);
        raw_call(SYS_tgkill, process, raw_call(SYS_gettid, 0, 0, 0, 0), SIGABRT, 0);
        raw_call(SYS_rt_sigaction, SIGABRT, (long)by_default, 0, sizeof mask);
    }
}

void check_failed(const char *condition, const char *file, int line_number)
{
    struct line line = {.used = 0};
    line_add(&line, "myalloc: fatal: broken invariant: ");
    line_add(&line, condition);
    line_add(&line, " at ");
    line_add(&line, file);
    line_add(&line, ":");
    line_add_number(&line, (uint64_t)line_number);
    line_write(&line, STDERR_FILENO); // CHECK-1
    check_abort();
}
