/* raw_call.h - system calls without libc: a program may define a function `syscall` of its own.
 * errno is preserved; a failure is returned as negative errno.
 *
 * raw_call(number, a, b, c, d), or raw_call_long(number, arguments) for more than four.
 */
#ifndef BASE_RAW_CALL_H
#define BASE_RAW_CALL_H

#if defined(__x86_64__)
#include "base/raw_call_x86_64.h"
#elif defined(__aarch64__)
#include "base/raw_call_aarch64.h"
#else
#include "base/raw_call_none.h"
#endif

#endif
