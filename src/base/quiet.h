/* quiet.h - system calls that write, and bring no signal: a message to a pipe that nobody reads, a
 * file at its limit, a terminal of other processes must not end or stop the program. */
#ifndef BASE_QUIET_H
#define BASE_QUIET_H

#include <signal.h>
#include <stdint.h>

#define QUIET_BIT(signal) (1UL << ((signal)-1))
// What a write may bring; or all signals, for what must not be interrupted.
#define QUIET_WRITE (QUIET_BIT(SIGPIPE) | QUIET_BIT(SIGXFSZ) | QUIET_BIT(SIGTTOU))
#define QUIET_ALL   UINT64_MAX

// The call, with these signals held back meanwhile; the negative errno of a failure. The signal
// that the failure itself brought is gone.
long quiet_call(uint64_t held, long number, const long arguments[6]);

#endif
