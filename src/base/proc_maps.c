/* proc_maps.c - reads /proc/self/maps with raw system calls into a buffer on the stack.
 *
 * Owns:       nothing.
 * Threads:    any, in any state.
 * Locks:      none.
 * Invariants: MAPS-1  errno is as it was.
 */
#include "base/proc_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ADVICE_POPULATE_READ 22 // MADV_POPULATE_READ, which older headers lack

struct reader {
    int fd;
    size_t at, filled; // bytes
    char buffer[1024];
};

// The next character of the file, -1 at its end.
static int next_char(struct reader *reader)
{
    if (reader->at == reader->filled) {
        long got = syscall(SYS_read, reader->fd, reader->buffer, sizeof reader->buffer);
        if (got <= 0) {
            return -1;
        }
        reader->filled = (size_t)got;
        reader->at = 0;
    }
    return reader->buffer[reader->at++];
}

// Reads a hexadecimal number and the one character behind it.
static uintptr_t read_hex(struct reader *reader, int *behind)
{
    uintptr_t value = 0;
    for (;;) {
        int c = next_char(reader);
        if (c >= '0' && c <= '9') {
            value = value * 16 + (uintptr_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            value = value * 16 + (uintptr_t)(c - 'a' + 10);
        } else {
            *behind = c;
            return value;
        }
    }
}

// Reads the rest of the line: the name of the mapping, if it has one.
static void read_name(struct reader *reader, struct line *name)
{
    int c = next_char(reader);
    while (c != '/' && c != '[' && c != '\n' && c != -1) {
        c = next_char(reader);
    }
    name->used = 0;
    for (; c != '\n' && c != -1; c = next_char(reader)) {
        char byte = (char)c;
        line_add_bytes(name, &byte, 1);
    }
}

static enum proc_maps_kind kind_of(const struct line *name)
{
    if (name->used != 0 && name->text[0] == '/') {
        return PROC_MAPS_FILE;
    }
    bool is_stack = name->used == strlen("[stack]") && memcmp(name->text, "[stack]", 7) == 0;
    return is_stack ? PROC_MAPS_STACK : PROC_MAPS_ANONYMOUS;
}

static void find_in(struct reader *reader, uintptr_t address, struct proc_maps_place *place)
{
    int behind = 0;
    for (;;) {
        uintptr_t start = read_hex(reader, &behind);
        uintptr_t end = read_hex(reader, &behind);
        for (behind = next_char(reader); behind != ' ' && behind != -1;) {
            behind = next_char(reader); // permissions
        }
        uintptr_t offset = read_hex(reader, &behind);
        if (behind == -1) {
            place->kind = PROC_MAPS_NOTHING;
            return;
        }
        read_name(reader, &place->path);
        if (address >= start && address < end) {
            place->kind = kind_of(&place->path);
            place->file_offset = address - start + offset;
            return;
        }
    }
}

void proc_maps_find(const void *address, struct proc_maps_place *place)
{
    int saved = errno;
    struct reader reader = {.at = 0};
    place->kind = PROC_MAPS_UNKNOWN;
    reader.fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (reader.fd >= 0) {
        find_in(&reader, (uintptr_t)address, place);
        syscall(SYS_close, reader.fd);
    }
    errno = saved; // MAPS-1
}

bool proc_maps_can_read(uintptr_t page, size_t page_bytes)
{
    int saved = errno;
    bool can = syscall(SYS_madvise, page, page_bytes, ADVICE_POPULATE_READ) == 0;
    errno = saved; // MAPS-1
    return can;
}

// Copies a file of proc; `makes_line`: what would end a line becomes '?', what ends words a blank.
static void copy(const char *path, int to, bool makes_line)
{
    int saved = errno;
    char buffer[1024];
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    for (long got; fd >= 0 && (got = syscall(SYS_read, fd, buffer, sizeof buffer)) > 0;) {
        for (long i = 0; makes_line && i < got; i++) {
            buffer[i] = buffer[i] == '\0'                  ? ' '
                        : buffer[i] < ' ' && buffer[i] > 0 ? '?'
                                                           : buffer[i];
        }
        (void)!syscall(SYS_write, to, buffer, got);
    }
    if (fd >= 0) {
        syscall(SYS_close, fd);
    }
    errno = saved; // MAPS-1
}

void proc_maps_copy(int fd)
{
    copy("/proc/self/maps", fd, false);
}

void proc_maps_copy_command(int fd)
{
    copy("/proc/self/cmdline", fd, true);
}
