/* process.c - readers of /proc/self that use one static buffer and no stdio streams. */
#include "support/process.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 4096 };

/* Reads FD line by line; the buffer belongs to the caller. */
struct line_reader {
    int fd;
    size_t filled_bytes;
    size_t used_bytes;
    char text[LINE_BYTES_MAX];
};

static bool reader_open(struct line_reader *reader, const char *path)
{
    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    reader->filled_bytes = 0;
    reader->used_bytes = 0;
    return reader->fd >= 0;
}

static bool reader_fill(struct line_reader *reader)
{
    memmove(reader->text, reader->text + reader->used_bytes,
            reader->filled_bytes - reader->used_bytes);
    reader->filled_bytes -= reader->used_bytes;
    reader->used_bytes = 0;
    ssize_t got = read(reader->fd, reader->text + reader->filled_bytes,
                       sizeof reader->text - reader->filled_bytes);
    reader->filled_bytes += got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* The next line without its newline, valid until the next call; NULL, and closed, at the end. */
static char *reader_next(struct line_reader *reader)
{
    for (;;) {
        char *line = reader->text + reader->used_bytes;
        char *end = memchr(line, '\n', reader->filled_bytes - reader->used_bytes);
        if (end != NULL) {
            *end = '\0';
            reader->used_bytes = (size_t)(end + 1 - reader->text);
            return line;
        }
        if (!reader_fill(reader)) {
            close(reader->fd);
            return NULL;
        }
    }
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t text_bytes = strlen(text);
    size_t suffix_bytes = strlen(suffix);
    return text_bytes >= suffix_bytes && strcmp(text + text_bytes - suffix_bytes, suffix) == 0;
}

/* Not VmRSS of status: since Linux 6.2 that is a sum which may be wrong by 128 KiB for each CPU. */
static size_t read_rss(void)
{
    struct line_reader reader;
    size_t rss_kib = 0;
    if (reader_open(&reader, "/proc/self/smaps_rollup")) {
        for (char *line = reader_next(&reader); line != NULL; line = reader_next(&reader)) {
            (void)sscanf(line, "Rss: %zu", &rss_kib);
        }
    }
    return rss_kib * 1024;
}

/* The pages of code and data that reading needs are there the second time. */
size_t process_rss_bytes(void)
{
    (void)read_rss();
    return read_rss();
}

size_t process_map_count(void)
{
    struct line_reader reader;
    size_t count = 0;
    if (reader_open(&reader, "/proc/self/maps")) {
        while (reader_next(&reader) != NULL) {
            count++;
        }
    }
    return count;
}

size_t process_heap_bytes(void)
{
    struct line_reader reader;
    size_t bytes = 0;
    if (reader_open(&reader, "/proc/self/maps")) {
        for (char *line = reader_next(&reader); line != NULL; line = reader_next(&reader)) {
            size_t start = 0;
            size_t end = 0;
            if (ends_with(line, "[heap]") && sscanf(line, "%zx-%zx", &start, &end) == 2) {
                bytes += end - start;
            }
        }
    }
    return bytes;
}

bool process_maps_file(const char *suffix)
{
    struct line_reader reader;
    bool found = false;
    if (reader_open(&reader, "/proc/self/maps")) {
        for (char *line = reader_next(&reader); line != NULL; line = reader_next(&reader)) {
            found |= ends_with(line, suffix);
        }
    }
    return found;
}

bool process_mapping_has_flag(const void *address, const char *flag)
{
    struct line_reader reader;
    bool inside = false;
    bool found = false;
    if (reader_open(&reader, "/proc/self/smaps")) {
        for (char *line = reader_next(&reader); line != NULL; line = reader_next(&reader)) {
            size_t start = 0;
            size_t end = 0;
            if (sscanf(line, "%zx-%zx ", &start, &end) == 2) {
                inside = start <= (uintptr_t)address && (uintptr_t)address < end;
            }
            found |= inside && strncmp(line, "VmFlags:", 8) == 0 && strstr(line, flag) != NULL;
        }
    }
    return found;
}
