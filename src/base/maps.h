/* maps.h - what an address of this process is, by /proc/self/maps: no malloc, no stdio, any state.
 */
#ifndef BASE_MAPS_H
#define BASE_MAPS_H

#include "base/line.h"

#include <stdint.h>

enum maps_kind {
    MAPS_UNKNOWN,   // the file cannot be read
    MAPS_NOTHING,   // no mapping there
    MAPS_FILE,      // of a file: code, constants, data
    MAPS_STACK,     // of the main thread
    MAPS_ANONYMOUS, // all else: a heap, bss, stacks of threads
};

struct maps_place {
    enum maps_kind kind;
    uintptr_t file_offset; // of the address, for MAPS_FILE
    struct line path;      // for MAPS_FILE
};

void maps_find(const void *address, struct maps_place *place);

#endif
