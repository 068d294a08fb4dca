/* raw_call.h - system calls without a name: `syscall` is one that a program may have for a function
 * of its own. errno stays as it is; a failure is the negative errno.
 *
 * raw_call(number, a, b, c, d), and raw_call_long(number, arguments) for more than four.
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
