/* os_report.h - report files: created only by us, readable only by our user.
 *
 * A directory that others may write to can hold traps: a file of another user, a link to a file of
 * ours, the file of a process with our PID in another container. So a file is created new or, in a
 * directory of our own, taken over from a process that has ended. Failures are negative errnos.
 */
#ifndef BASE_OS_REPORT_H
#define BASE_OS_REPORT_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

#define OS_REPORT_HERE (-100) // AT_FDCWD: paths, not names in a directory

// Opens a directory, creating it with mode 0700 if necessary; it must belong to our user alone.
int os_report_directory(const char *path);
// Creates a file with mode 0600; follows no link. -EEXIST: the name is taken.
int os_report_create(int directory, const char *name);
// The same, but holds the file until it is closed and all mappings of it are gone. If the name is
// taken, takes over and truncates a regular file of our user with a single link that nobody holds.
// -EEXIST: the file belongs to somebody else.
int os_report_hold(int directory, const char *name);

// Renames a file within its directory, replacing any other one; the errno, 0 on success.
int os_report_rename(int directory, const char *name, const char *to);

// Allocates disk space for a part of a file, if the file system supports it; the errno, 0 on
// success.
int os_allocate(int fd, size_t offset, size_t bytes);
// Extends a file and allocates disk space, so that no store into a mapping fails later; the errno,
// 0 on success.
int os_report_extend(int fd, size_t offset, size_t bytes);

struct line;
// Appends the reason of a failure in plain words.
void os_report_add_reason(struct line *line, int error);

#endif
