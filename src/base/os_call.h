/* os_call.h - what all system calls have in common: how they are made, and failures on demand. */
#ifndef BASE_OS_CALL_H
#define BASE_OS_CALL_H

#include "base/config.h"

#include <stdbool.h>

// A raw system call: other preloads interpose mmap and its kin, and would call malloc. errno stays
// as it was; a failure is -1.
long os_call(long number, long a, long b, long c, long d);
// As os_call, but a failure is the negative errno.
long os_call_error(long number, const long arguments[6]);

// Debug builds: the n-th system call from now that can fail does (n = 1 is the next); a negative n
// lets all from the -n-th on fail; 0 none.
void os_fail_after(long n);
bool os_fail_is_due(void);
static inline bool os_fail_now(void) // true: this call has to fail
{
    return CONFIG_DEBUG && os_fail_is_due();
}

const char *os_env(const char *name); // NULL when absent or under AT_SECURE

#endif
