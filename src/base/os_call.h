/* os_call.h - shared by the system call modules: failure injection, the environment, the auxiliary
 * vector. */
#ifndef BASE_OS_CALL_H
#define BASE_OS_CALL_H

#include "base/config.h"

#include <stdbool.h>
#include <stddef.h>

// Debug builds: makes the n-th system call from now that can fail do so (n = 1 is the next); a
// negative n makes all from the -n-th on fail; 0 none.
void os_fail_after(long n);
bool os_fail_is_due(void);
static inline bool os_fail_now(void) // true: this call must fail
{
    return CONFIG_DEBUG && os_fail_is_due();
}

unsigned long os_auxval(unsigned long type); // the value in the auxiliary vector; 0: none
const char *os_env(const char *name);        // NULL if absent or under AT_SECURE
// The next variable whose name starts with `beginning`; returns what follows that. *at: the search
// position, 0 at first. NULL: no more.
const char *os_env_next(const char *beginning, size_t *at);

#endif
