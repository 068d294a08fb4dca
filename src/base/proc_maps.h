/* proc_maps.h - what an address of this process is, by /proc/self/maps: no malloc, no stdio, any
 * state.
 */
#ifndef BASE_PROC_MAPS_H
#define BASE_PROC_MAPS_H

#include "base/line.h"

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

#endif
