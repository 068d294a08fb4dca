/* raw_call_none.h - raw_call.h for any other CPU, by libc's syscall(). */
#ifndef BASE_RAW_CALL_NONE_H
#define BASE_RAW_CALL_NONE_H

#include <errno.h>
#include <unistd.h>

static inline long raw_call_long(long number, const long a[6])
{
    int saved = errno;
    long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    result = result == -1 ? -errno : result;
    errno = saved;
    return result;
}

static inline long raw_call(long number, long a, long b, long c, long d)
{
    const long arguments[6] = {a, b, c, d, 0, 0};
    return raw_call_long(number, arguments);
}

#endif
