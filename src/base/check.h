/* check.h - ASSERT for debug builds, VERIFY for all builds; ends the process when a check fails.
 * Any thread, also signal handlers; allocates nothing. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include "base/compiler.h"
#include "base/config.h"

// Writes "myalloc: fatal: broken invariant: CONDITION at FILE:LINE" to stderr, and aborts.
NORETURN COLD void check_failed(const char *condition, const char *file, int line);

// Like abort(), which a program may define itself: neither a handler that returns nor a signal mask
// keeps the process alive.
NORETURN COLD void check_abort(void);

#define VERIFY(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))
#define ASSERT(condition) (CONFIG_DEBUG ? VERIFY(condition) : (void)0)

#endif
