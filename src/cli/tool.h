/* tool.h - exit codes and talk on stderr, shared by every command. */
#ifndef CLI_TOOL_H
#define CLI_TOOL_H

#include "myalloc.h"

#include <stdbool.h>
#include <stddef.h>

/* The codes of env(1) and timeout(1); a command that was started keeps its own. */
enum tool_exit {
    TOOL_OK = 0,
    TOOL_NO = 1,               // the answer is no, or the thing asked about does not exist
    TOOL_USAGE = 2,            // the command line is wrong
    TOOL_FAILED = 125,         // we failed ourselves
    TOOL_NOT_EXECUTABLE = 126, // found, but cannot be executed
    TOOL_NOT_FOUND = 127,
    TOOL_SIGNAL = 128, // plus the number of the signal
};

#define TOOL_VERSION MYALLOC_VERSION

/* Write "myalloc: MESSAGE" and a line end to stderr. */
void tool_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, then exit with `code`. */
_Noreturn void tool_die(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory that is never NULL: out of memory ends the command. */
void *tool_allocate(size_t bytes) __attribute__((returns_nonnull));
void *tool_resize(void *ptr, size_t bytes) __attribute__((returns_nonnull));

/* Seconds and nanoseconds of CLOCK_BOOTTIME, the clock of the live page. */
unsigned long long tool_now_ns(void);

/* Sleep; a signal may end it early. */
void tool_sleep(double seconds);

#endif
