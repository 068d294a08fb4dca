/* background.h - background:1, a thread that returns free memory once the program is quiet. */
#ifndef BACKGROUND_BACKGROUND_H
#define BACKGROUND_BACKGROUND_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

// Starts the thread, which calls `trim` as malloc_trim(0) would; without threads there is none.
// Once, outside of slow paths; it may allocate. A child of fork has none.
COLD void background_start(bool (*trim)(size_t pad_bytes, const void *caller));

#endif
