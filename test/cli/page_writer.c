/* page_writer.c - writes files for the tests of the readers: good pages and hostile ones.
 *
 * Usage:      page_writer good FILE PID
 *             page_writer new FILE PID           a good page of a process that has just started
 *             page_writer old FILE PID           a good page from before the last boot
 *             page_writer cut FILE PID BYTES     a good page, cut to so many bytes
 *             page_writer random FILE PID SEED   random bytes behind a good magic and version
 *             page_writer flip FILE PID SEED     a good page with 64 random bytes changed
 *             page_writer pagemap FILE FIRST COUNT  entries of pagemap, two of three pages resident
 *
 * Owns:       the file that it writes.
 * Threads:    one.
 * Invariants: WRITER-1  the same arguments make the same file, but for `new`.
 */
#include "page_fill.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STARTED_NS    11000000000u // process 4242 of the tree started at 10 s
#define OTHER_BOOT_NS (1ull << 62) // no uptime reaches that

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 24;
}

static void spoil(struct myalloc_live *page, uint64_t seed, int changes)
{
    unsigned char *const bytes = (unsigned char *)page;
    for (int i = 0; i < changes; i++) {
        // Half of the changes hit the header and the counters, where they hurt.
        const size_t range = i % 2 == 0 ? 1024 : sizeof(*page);
        const size_t at = (size_t)(next_random(&seed) % range);
        bytes[at] = (unsigned char)next_random(&seed);
    }
}

static void randomize(struct myalloc_live *page, uint64_t seed)
{
    const struct myalloc_live_header header = page->header;
    unsigned char *const bytes = (unsigned char *)page;
    for (size_t i = 0; i < sizeof(*page); i++) {
        bytes[i] = (unsigned char)next_random(&seed);
    }
    page->header = header;
    page->header.class_count = (uint32_t)(seed % (MYALLOC_LIVE_CLASSES_MAX + 1));
}

static int write_file(const char *path, const void *bytes, size_t count, off_t at)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const int is_written = fd >= 0 && pwrite(fd, bytes, count, at) == (ssize_t)count;
    if (!is_written) {
        perror(path);
    }
    return is_written && close(fd) == 0 ? 0 : 1;
}

static int write_pagemap(const char *path, uint64_t first, uint64_t count)
{
    uint64_t *const entries = calloc((size_t)count, sizeof(*entries));
    for (uint64_t i = 0; entries != NULL && i < count; i++) {
        entries[i] = i % 3 != 1 ? 1ull << 63 : 0;
    }
    const int code = write_file(path, entries, (size_t)count * 8, (off_t)(first * 8));
    free(entries);
    return code;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        return 2;
    }
    const char *const kind = argv[1];
    const uint64_t number = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    if (strcmp(kind, "pagemap") == 0) {
        return write_pagemap(argv[2], strtoull(argv[3], NULL, 0), number);
    }
    struct myalloc_live *const page = calloc(1, sizeof(*page));
    if (page == NULL) {
        return 1;
    }
    const uint64_t started_ns = strcmp(kind, "new") == 0   ? page_now_ns()
                                : strcmp(kind, "old") == 0 ? OTHER_BOOT_NS
                                                           : STARTED_NS;
    page_fill(page, (uint32_t)atoi(argv[3]), started_ns);
    page->counters.counted_ns = strcmp(kind, "old") == 0 ? 1 : 0;
    size_t bytes = sizeof(*page);
    if (strcmp(kind, "cut") == 0) {
        bytes = number < bytes ? (size_t)number : bytes;
    } else if (strcmp(kind, "random") == 0) {
        randomize(page, number);
    } else if (strcmp(kind, "flip") == 0) {
        spoil(page, number, 64);
    }
    const int code = write_file(argv[2], page, bytes, 0);
    free(page);
    return code;
}
