/* quiet.h - system calls that write, without raising a signal: a message to a broken pipe, to a
 * file at its size limit, or from the background of a terminal must not end or stop the program. */
#ifndef BASE_QUIET_H
#define BASE_QUIET_H

#include <signal.h>
#include <stdint.h>

#define QUIET_BIT(signal) (1UL << ((signal)-1))
// The signals that a write may raise; or all, for a call that must not be interrupted.
#define QUIET_WRITE (QUIET_BIT(SIGPIPE) | QUIET_BIT(SIGXFSZ) | QUIET_BIT(SIGTTOU))
#define QUIET_ALL   UINT64_MAX

// Makes the call with these signals blocked; returns a failure as negative errno. A signal that the
// failure raised is discarded.
long quiet_call(uint64_t held, long number, const long arguments[6]);

#endif
