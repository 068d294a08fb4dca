/* os_report.c - report files.
 *
 * Owns:       nothing; descriptors are the caller's.
 * Threads:    any.
 * Locks:      none; a held file has an flock(2), which lasts as long as any mapping of it.
 * Invariants: OS_REPORT-1  a file of another user, or in use, is never read, written or truncated.
 *             OS_REPORT-2  nothing here raises a signal.
 */
#include "base/os_report.h"

#include "base/check.h"
#include "base/line.h"
#include "base/os_call.h"
#include "base/quiet.h"
#include "base/raw_call.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static_assert(OS_REPORT_HERE == AT_FDCWD, "as the kernel has it"); // NOLINT: they are equal

static int open_at(int directory, const char *name, long flags)
{
    ASSERT(name[0] != '\0');
    const long always = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    return (int)raw_call_long(SYS_openat, (long[6]){directory, (long)name, flags | always, 0600});
}

static int close_with(int fd, int error)
{
    ASSERT(fd >= 0);
    ASSERT(error < 0);
    raw_call(SYS_close, fd, 0, 0, 0);
    return error;
}

static bool is_ours(int fd, struct stat *status)
{
    return raw_call(SYS_fstat, fd, (long)status, 0, 0) == 0 &&
           status->st_uid == (uid_t)raw_call(SYS_geteuid, 0, 0, 0, 0);
}

int os_report_directory(const char *path)
{
    ASSERT(path[0] != '\0');
    struct stat status = {0};
    if (os_fail_now()) {
        return -EACCES;
    }
    raw_call(SYS_mkdirat, AT_FDCWD, (long)path, 0700, 0);
    int fd = open_at(OS_REPORT_HERE, path, O_RDONLY | O_DIRECTORY);
    if (fd >= 0 && (!is_ours(fd, &status) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)) {
        return close_with(fd, -EACCES);
    }
    return fd;
}

int os_report_create(int directory, const char *name)
{
    return os_fail_now() ? -EACCES : open_at(directory, name, O_RDWR | O_CREAT | O_EXCL);
}

static bool holds(int fd)
{
    return raw_call(SYS_flock, fd, LOCK_EX | LOCK_NB, 0, 0) == 0;
}

// OS_REPORT-1
static int take_over(int directory, const char *name)
{
    struct stat status = {0};
    int fd = open_at(directory, name, O_RDWR);
    if (fd < 0) {
        return -EEXIST;
    }
    ASSERT(directory != OS_REPORT_HERE); // only in a directory that others cannot write to
    bool is_free = is_ours(fd, &status) && S_ISREG(status.st_mode) && status.st_nlink == 1 &&
                   (status.st_mode & (S_IRWXG | S_IRWXO)) == 0 && holds(fd) &&
                   raw_call(SYS_ftruncate, fd, 0, 0, 0) == 0;
    return is_free ? fd : close_with(fd, -EEXIST);
}

int os_report_hold(int directory, const char *name)
{
    int fd = os_report_create(directory, name);
    if (fd == -EEXIST) {
        return take_over(directory, name);
    }
    return fd < 0 || holds(fd) ? fd : close_with(fd, -EEXIST); // just taken over by another process
}

int os_report_rename(int directory, const char *name, const char *to)
{
    ASSERT(name[0] != '\0');
    ASSERT(to[0] != '\0');
    return -(int)raw_call_long(SYS_renameat2,
                               (long[6]){directory, (long)name, directory, (long)to, 0});
}

static bool is_within_limit(size_t end)
{
    uint64_t limits[2] = {0, 0};
    return raw_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)limits) != 0 || limits[0] >= end;
}

// For file systems without fallocate: writes a byte into each block.
static int write_zeros(int fd, size_t offset, size_t bytes)
{
    ASSERT(bytes != 0);
    struct stat status = {0};
    raw_call(SYS_fstat, fd, (long)&status, 0, 0);
    size_t step =
        status.st_blksize >= 512 && status.st_blksize <= 4096 ? (size_t)status.st_blksize : 512;
    const char zero = 0;
    for (size_t at = offset; at < offset + bytes;) {
        at = at - at % step + step; // the end of its block
        at = at < offset + bytes ? at : offset + bytes;
        long result =
            quiet_call(QUIET_ALL, SYS_pwrite64, (long[6]){fd, (long)&zero, 1, (long)at - 1});
        if (result != 1) {
            return result < 0 ? (int)-result : ENOSPC;
        }
    }
    return 0;
}

int os_allocate(int fd, size_t offset, size_t bytes)
{
    ASSERT(bytes != 0);
    ASSERT(offset + bytes > offset);
    if (os_fail_now()) {
        return ENOSPC;
    }
    if (!is_within_limit(offset + bytes)) { // OS_REPORT-2
        return EFBIG;
    }
    return -(int)quiet_call(QUIET_ALL, SYS_fallocate, (long[6]){fd, 0, (long)offset, (long)bytes});
}

int os_report_extend(int fd, size_t offset, size_t bytes)
{
    ASSERT(fd >= 0);
    int error = os_allocate(fd, offset, bytes);
    return error == EOPNOTSUPP || error == ENOSYS ? write_zeros(fd, offset, bytes) : error;
}

void os_report_add_reason(struct line *line, int error)
{
    ASSERT(error > 0);
    static const struct {
        uint8_t errors[2];
        char text[30]; // in place: pointers would need relocations
    } reasons[] = {
        {{ENOSPC, EDQUOT}, "disk full"},
        {{EACCES, EPERM}, "no permission"},
        {{ENOENT, ENOTDIR}, "no such directory"},
        {{EFBIG, EFBIG}, "file size limit"},
        {{EMFILE, ENFILE}, "too few descriptors"},
        {{EEXIST, EEXIST}, "others have taken its names"},
        {{EBADF, EBADF}, "its descriptor was closed"},
        {{ENOMEM, ENOMEM}, "no memory"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].errors[0] == error || reasons[i].errors[1] == error) {
            line_add(line, reasons[i].text);
            return;
        }
    }
    line_add(line, "refused, errno ");
    line_add_number(line, (uint64_t)error);
}
