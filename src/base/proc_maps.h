/* proc_maps.h - looks an address up in /proc/self/maps: no malloc, no stdio, in any state.
 */
#ifndef BASE_PROC_MAPS_H
#define BASE_PROC_MAPS_H

#include "base/line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum proc_maps_kind {
    PROC_MAPS_UNKNOWN,   // the file cannot be read
    PROC_MAPS_NOTHING,   // no mapping there
    PROC_MAPS_FILE,      // private, of a file: code, constants, data
    PROC_MAPS_STACK,     // of the main thread
    PROC_MAPS_ANONYMOUS, // all else: a heap, bss, stacks of threads, huge pages, shared memory
};

struct proc_maps_place {
    enum proc_maps_kind kind;
    uintptr_t start, end;  // of the mapping, unless it is UNKNOWN or NOTHING
    uintptr_t file_offset; // of the address, for PROC_MAPS_FILE
    struct line path;      // for PROC_MAPS_FILE
};

void proc_maps_find(const void *address, struct proc_maps_place *place);

// True if the kernel reports that a page is readable. False also if it cannot tell (before Linux
// 5.14).
bool proc_maps_can_read(uintptr_t page, size_t page_bytes);

// Write all mappings, as the kernel lists them, and the command line, as one line with spaces
// between its words, to a file descriptor. Return the errno, 0 on success.
int proc_maps_copy(int fd);
int proc_maps_copy_command(int fd);

#endif
