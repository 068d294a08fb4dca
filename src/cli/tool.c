/* tool.c - what every command needs of the outside: messages, exit, memory, time.
 *
 * Owns:       nothing; stderr is shared with the program that `run` starts.
 * Threads:    one; the whole command is single-threaded.
 * Invariants: TOOL-1  talk goes to stderr and starts with "myalloc: "; data never does.
 *             TOOL-2  out of memory ends the command with TOOL_FAILED, so nobody tests for NULL.
 */
#include "cli/tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list arguments)
{
    fflush(stdout);
    fputs("myalloc: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void tool_warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

void tool_die(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    exit(code);
}

void *tool_allocate(size_t bytes)
{
    return tool_resize(NULL, bytes);
}

void *tool_resize(void *ptr, size_t bytes)
{
    void *const resized = realloc(ptr, bytes != 0 ? bytes : 1);
    if (resized == NULL) {
        tool_die(TOOL_FAILED, "out of memory");
    }
    return resized;
}

unsigned long long tool_now_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec;
}

void tool_sleep(double seconds)
{
    const struct timespec pause = {
        .tv_sec = (time_t)seconds,
        .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
    };
    nanosleep(&pause, NULL);
}
