/* quiet.c - system calls that write, without raising a signal.
 *
 * Owns:       nothing.
 * Threads:    any, also signal handlers.
 * Locks:      none.
 * Invariants: QUIET-1  a signal that was pending before stays so; that of the call is dequeued.
 */
#include "base/quiet.h"

#include "base/raw_call.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>

// The kernel sends these to the writing thread; sigtimedwait dequeues those before the process's.
static void take_signal(int signal)
{
    const uint64_t set = QUIET_BIT(signal);
    const struct timespec none = {0, 0};
    raw_call(SYS_rt_sigtimedwait, (long)&set, 0, (long)&none, sizeof set);
}

long quiet_call(uint64_t held, long number, const long arguments[6])
{
    uint64_t before = 0;
    uint64_t pending = 0;
    raw_call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&held, (long)&before, sizeof held);
    if ((before & QUIET_WRITE) != 0) {
        raw_call(SYS_rt_sigpending, (long)&pending, sizeof pending, 0, 0);
    }
    long result = raw_call_long(number, arguments);
    int brought = result == -EPIPE ? SIGPIPE : result == -EFBIG ? SIGXFSZ : 0;
    if (brought != 0 && (pending & QUIET_BIT(brought)) == 0) {
        take_signal(brought); // QUIET-1
    }
    raw_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof before);
    return result;
}
