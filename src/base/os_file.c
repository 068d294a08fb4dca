/* os_file.c - files, for reports and for blocks backed by files.
 *
 * Owns:       nothing; descriptors are the caller's.
 * Threads:    any.
 * Locks:      none.
 * Invariants: OS-1  errno is preserved, whatever happens.
 */
#include "base/os_file.h"

#include "base/check.h"
#include "base/line.h"
#include "base/os_call.h"
#include "base/os_vm.h"
#include "base/raw_call.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DESCRIPTOR_MIN   200 // programs that close or reuse descriptors start with low ones
#define DESCRIPTOR_LEAST 6   // under a low limit; below this, the program needs them all

void *os_map_file(int fd, size_t offset, size_t bytes)
{
    ASSERT(offset % PAGE_BYTES_MIN == 0);
    ASSERT(bytes != 0);
    if (os_fail_now()) {
        return NULL;
    }
    const long protection = PROT_READ | PROT_WRITE;
    long at = raw_call_long(SYS_mmap,
                            (long[6]){0, (long)bytes, protection, MAP_SHARED, fd, (long)offset});
    return at < 0 ? NULL : (void *)at;
}

int os_keep_descriptor(int fd)
{
    long kept = -1;
    for (long least = DESCRIPTOR_MIN; kept < 0 && least >= DESCRIPTOR_LEAST; least /= 2) {
        kept = raw_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least, 0);
    }
    ASSERT(kept < 0 || kept >= DESCRIPTOR_LEAST);
    return (int)kept;
}

uint64_t os_file_id(int fd)
{
    struct stat status = {0};
    bool is_open = raw_call(SYS_fstat, fd, (long)&status, 0, 0) == 0;
    return is_open ? (status.st_dev << 40) + status.st_ino + 1 : 0;
}

void os_close(int fd)
{
    ASSERT(fd >= 0);
    raw_call(SYS_close, fd, 0, 0, 0);
}

void os_unlink(const char *path)
{
    ASSERT(path[0] != '\0');
    raw_call(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0);
}

// Creates a file with a unique name and unlinks it: for file systems without O_TMPFILE.
static int open_and_unlink(const char *directory)
{
    struct line name = {.used = 0};
    line_add(&name, directory);
    line_add(&name, "/.myalloc.");
    line_add_number(&name, (uint64_t)raw_call(SYS_getpid, 0, 0, 0, 0));
    line_add(&name, ".");
    line_add_hex(&name, os_random());
    name.text[name.used] = '\0';
    const long flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int fd = (int)raw_call_long(SYS_openat, (long[6]){AT_FDCWD, (long)name.text, flags, 0600});
    if (fd >= 0) {
        os_unlink(name.text);
    }
    return fd;
}

int os_open_unnamed(const char *directory)
{
    ASSERT(directory[0] != '\0');
    if (os_fail_now()) {
        return -EACCES;
    }
    const long flags = O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL;
    int fd = (int)raw_call_long(SYS_openat, (long[6]){AT_FDCWD, (long)directory, flags, 0600});
    if (fd == -EOPNOTSUPP || fd == -EISDIR) {
        fd = open_and_unlink(directory);
    }
    int kept = fd < 0 ? fd : os_keep_descriptor(fd);
    if (fd > STDERR_FILENO && kept < 0) { // too few descriptors: keep this one
        return fd;
    }
    if (fd >= 0) {
        os_close(fd);
    }
    return kept;
}

bool os_map_file_at(void *start, size_t bytes, int fd, size_t offset, bool is_shared)
{
    ASSERT((uintptr_t)start % PAGE_BYTES_MIN == 0);
    ASSERT(offset % PAGE_BYTES_MIN == 0);
    ASSERT(bytes != 0);
    const long flags = MAP_FIXED | (is_shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE);
    const long protection = PROT_READ | PROT_WRITE;
    return !os_fail_now() &&
           raw_call_long(SYS_mmap, (long[6]){(long)start, (long)bytes, protection, flags, fd,
                                             (long)offset}) == (long)start;
}

int os_open_file(const char *path, bool writes)
{
    const long flags = O_CLOEXEC | (writes ? O_RDWR | O_CREAT : O_RDONLY);
    return (int)raw_call_long(SYS_openat, (long[6]){AT_FDCWD, (long)path, flags, 0666});
}

size_t os_file_bytes(int fd)
{
    ASSERT(fd >= 0);
    struct stat status = {0};
    raw_call(SYS_fstat, fd, (long)&status, 0, 0);
    return (size_t)status.st_size;
}

long os_map_part(int fd, size_t offset, size_t bytes, bool writes)
{
    ASSERT(bytes != 0);
    const long protection = PROT_READ | (writes ? PROT_WRITE : 0);
    const long flags = writes ? MAP_SHARED : MAP_PRIVATE;
    return raw_call_long(SYS_mmap, (long[6]){0, (long)bytes, protection, flags, fd, (long)offset});
}

int os_sync(void *start, size_t bytes)
{
    ASSERT((uintptr_t)start % PAGE_BYTES_MIN == 0);
    return -(int)raw_call_long(SYS_msync, (long[6]){(long)start, (long)bytes, MS_SYNC});
}

bool os_remove(void *start, size_t bytes)
{
    ASSERT((uintptr_t)start % PAGE_BYTES_MIN == 0);
    return !os_fail_now() && raw_call(SYS_madvise, (long)start, (long)bytes, MADV_REMOVE, 0) == 0;
}
