/* check.h - ASSERT for debug builds, VERIFY for all; and how a process ends when we detect
 * something wrong. Any thread, also signal handlers; nothing is allocated. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include "base/compiler.h"
#include "base/config.h"

// Writes "myalloc: fatal: broken invariant: CONDITION at FILE:LINE" to stderr, and aborts.
NORETURN COLD void check_failed(const char *condition, const char *file, int line);

// As abort() does, whose name a program may have taken: not even a handler that returns, or a mask,
// keeps the process alive.
NORETURN COLD void check_abort(void);

#define VERIFY(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))
#define ASSERT(condition) (CONFIG_DEBUG ? VERIFY(condition) : (void)0)

#endif
