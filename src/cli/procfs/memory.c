/* memory.c - /proc/PID/mem, and what the loader put there.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: MEMORY-1  what is read is another program's data: every length is bounded here.
 */
#include "cli/procfs/memory.h"

#include "cli/procfs/procfs.h"
#include "myalloc_live.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEGMENTS_MAX 64
#define NOTES_BYTES  4096

int memory_open(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    return open(procfs_path(path), O_RDONLY | O_CLOEXEC);
}

bool memory_read(int fd, uint64_t address, void *buffer, size_t bytes)
{
    char *const to = buffer;
    size_t done = 0;
    while (done < bytes) {
        const ssize_t got = pread(fd, to + done, bytes - done, (off_t)(address + done));
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

struct wanted {
    uint32_t type;
    void *buffer;
    size_t bytes;
    uint64_t *address;
};

/* Notes lie one behind the other, name and description each filled up to words of 32 bits. */
static bool find_in_notes(const char *notes, size_t bytes, uint64_t base,
                          const struct wanted *wanted)
{
    Elf64_Nhdr note;
    for (size_t at = 0; at + sizeof(note) <= bytes;) {
        memcpy(&note, notes + at, sizeof(note));
        const size_t name = at + sizeof(note);
        const size_t description = name + (((size_t)note.n_namesz + 3) & ~(size_t)3);
        const size_t end = description + (((size_t)note.n_descsz + 3) & ~(size_t)3);
        if (end > bytes || end <= at) { // MEMORY-1
            return false;
        }
        if (note.n_type == wanted->type && note.n_descsz >= wanted->bytes &&
            note.n_namesz == sizeof(MYALLOC_NOTE_NAME) &&
            memcmp(notes + name, MYALLOC_NOTE_NAME, sizeof(MYALLOC_NOTE_NAME)) == 0) {
            memcpy(wanted->buffer, notes + description, wanted->bytes);
            *wanted->address = base + description;
            return true;
        }
        at = end;
    }
    return false;
}

static bool find_in_image(int fd, uint64_t base, const struct wanted *wanted)
{
    Elf64_Ehdr header;
    if (!memory_read(fd, base, &header, sizeof(header)) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        return false;
    }
    for (unsigned i = 0; i < header.e_phnum && i < SEGMENTS_MAX; i++) {
        Elf64_Phdr segment;
        char notes[NOTES_BYTES];
        const uint64_t at = base + header.e_phoff + i * sizeof(segment);
        if (!memory_read(fd, at, &segment, sizeof(segment))) {
            return false;
        }
        if (segment.p_type == PT_NOTE && segment.p_memsz <= sizeof(notes) &&
            memory_read(fd, base + segment.p_vaddr, notes, segment.p_memsz) &&
            find_in_notes(notes, segment.p_memsz, base + segment.p_vaddr, wanted)) {
            return true;
        }
    }
    return false;
}

// NOLINTNEXTLINE(readability-function-size): each of the six is asked for by its caller
bool memory_find_note(int fd, pid_t pid, uint32_t type, void *buffer, size_t bytes,
                      uint64_t *address)
{
    const struct wanted wanted = {type, buffer, bytes, address};
    struct text maps = {0};
    bool is_found = false;
    if (procfs_read_of(&maps, pid, "maps") == 0) {
        char *rest = maps.data;
        for (char *line = NULL; !is_found && (line = strsep(&rest, "\n")) != NULL;) {
            if (strstr(line, "/libmyalloc.so") != NULL && strstr(line, " 00000000 ") != NULL) {
                is_found = find_in_image(fd, strtoull(line, NULL, 16), &wanted);
            }
        }
    }
    text_free(&maps);
    return is_found;
}
