/* proc_maps.c - reads /proc/self/maps with raw system calls into a buffer on the stack.
 *
 * Owns:       nothing.
 * Threads:    any, in any state.
 * Locks:      none.
 * Invariants: MAPS-1  the descriptor is closed again.
 */
#include "base/proc_maps.h"

#include "base/raw_call.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

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
        long got = raw_call(SYS_read, reader->fd, (long)reader->buffer, sizeof reader->buffer, 0);
        if (got <= 0) {
            return -1;
        }
        reader->filled = (size_t)got;
        reader->at = 0;
    }
    return reader->buffer[reader->at++];
}

// Reads a hexadecimal number and the one character after it.
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

static bool begins_with(const struct line *name, const char *text)
{
    size_t bytes = strlen(text);
    return name->used >= bytes && memcmp(name->text, text, bytes) == 0;
}

// The kernel shows file-like names for memory that an allocator may use: /anon_hugepage for
// MAP_HUGETLB, /memfd:name, /dev/zero, and /SYSV for shared memory.
static enum proc_maps_kind kind_of(const struct line *name, bool is_shared)
{
    bool is_memory = is_shared || begins_with(name, "/anon_hugepage") ||
                     begins_with(name, "/memfd:") || begins_with(name, "/dev/");
    if (begins_with(name, "/")) {
        return is_memory ? PROC_MAPS_ANONYMOUS : PROC_MAPS_FILE;
    }
    bool is_stack = name->used == strlen("[stack]") && begins_with(name, "[stack]");
    return is_stack ? PROC_MAPS_STACK : PROC_MAPS_ANONYMOUS;
}

static void find_in(struct reader *reader, uintptr_t address, struct proc_maps_place *place)
{
    int behind = 0;
    for (;;) {
        uintptr_t start = read_hex(reader, &behind);
        uintptr_t end = read_hex(reader, &behind);
        bool is_shared = false;
        for (behind = next_char(reader); behind != ' ' && behind != -1;) {
            is_shared = behind == 's'; // the last permission character
            behind = next_char(reader);
        }
        uintptr_t offset = read_hex(reader, &behind);
        if (behind == -1) {
            place->kind = PROC_MAPS_NOTHING;
            return;
        }
        read_name(reader, &place->path);
        if (address >= start && address < end) {
            place->kind = kind_of(&place->path, is_shared);
            place->start = start;
            place->end = end;
            place->file_offset = address - start + offset;
            return;
        }
    }
}

void proc_maps_find(const void *address, struct proc_maps_place *place)
{
    struct reader reader = {.at = 0};
    place->kind = PROC_MAPS_UNKNOWN;
    const char *path = "/proc/self/maps";
    reader.fd = (int)raw_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0);
    if (reader.fd >= 0) {
        find_in(&reader, (uintptr_t)address, place);
        raw_call(SYS_close, reader.fd, 0, 0, 0);
    }
}

bool proc_maps_can_read(uintptr_t page, size_t page_bytes)
{
    return raw_call(SYS_madvise, (long)page, (long)page_bytes, ADVICE_POPULATE_READ, 0) == 0;
}

// Copies a file of /proc; `makes_line`: control characters become '?', and NUL becomes a space.
static int copy(const char *path, int to, bool makes_line)
{
    struct line line = {.used = 0};
    int error = 0;
    int fd = (int)raw_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0);
    while (fd >= 0 && error == 0) {
        long got = raw_call(SYS_read, fd, (long)line.text, sizeof line.text, 0);
        if (got <= 0) {
            break;
        }
        line.used = (size_t)got;
        for (size_t i = 0; makes_line && i < line.used; i++) {
            char c = line.text[i];
            line.text[i] = (char)(c == '\0' ? ' ' : c < ' ' && c > 0 ? '?' : c);
        }
        error = line_put(&line, to);
    }
    if (fd >= 0) {
        raw_call(SYS_close, fd, 0, 0, 0);
    }
    return error;
}

int proc_maps_copy(int fd)
{
    return copy("/proc/self/maps", fd, false);
}

int proc_maps_copy_command(int fd)
{
    return copy("/proc/self/cmdline", fd, true);
}
