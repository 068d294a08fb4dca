/* os_call.h - what the system calls share: failures on demand, the environment, the
 * auxiliary vector. */
#ifndef BASE_OS_CALL_H
#define BASE_OS_CALL_H

#include "base/config.h"

#include <stdbool.h>
#include <stddef.h>

// Debug builds: the n-th system call from now that can fail does (n = 1 is the next); a negative n
// lets all from the -n-th on fail; 0 none.
void os_fail_after(long n);
bool os_fail_is_due(void);
static inline bool os_fail_now(void) // true: this call has to fail
{
    return CONFIG_DEBUG && os_fail_is_due();
}

unsigned long os_auxval(unsigned long type); // what the kernel told the process; 0: nothing
const char *os_env(const char *name);        // NULL when absent or under AT_SECURE
// The next variable whose name begins so, from behind that beginning on; *at: where to look, 0 at
// first. NULL: no more.
const char *os_env_next(const char *beginning, size_t *at);

#endif
