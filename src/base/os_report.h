/* os_report.h - files of reports: made by us alone, read by our user alone.
 *
 * Directories that others may write to hold what others made: another's file, a link to a file of
 * ours, the file of a process with our number in another container. So a file is made anew, or, in
 * a directory that is ours, taken over from a process that has ended. Failures are negative errnos.
 */
#ifndef BASE_OS_REPORT_H
#define BASE_OS_REPORT_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

#define OS_REPORT_HERE (-100) // AT_FDCWD: paths, not names in a directory

// Makes it, where it may stand already; open, and nobody else's but ours: mode 0700 if it is new.
int os_report_directory(const char *path);
// A file that was not there, mode 0600; no link is followed. -EEXIST: it was.
int os_report_create(int directory, const char *name);
// Such a file that is held until all mappings of it are gone, too; or one that stood there and is
// held by nobody: a regular file, of our user, with one name, which is emptied. -EEXIST: it is
// somebody's.
int os_report_hold(int directory, const char *name);

// Gives a file another name in its directory, in place of what has it; the errno, 0 for done.
int os_report_rename(int directory, const char *name, const char *to);

// Room on the disk for this part of a file, as far as the file system can tell; as below.
int os_allocate(int fd, size_t offset, size_t bytes);
// Makes the file longer, with room on the disk, so that no store into a mapping fails later; the
// errno, 0 for done.
int os_report_extend(int fd, size_t offset, size_t bytes);

struct line;
// Appends why something failed, for people.
void os_report_add_reason(struct line *line, int error);

#endif
