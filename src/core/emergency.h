/* emergency.h - blocks for signal handlers that interrupted the allocator itself: lock-free, from
 * areas of their own. Any thread, any state. */
#ifndef CORE_EMERGENCY_H
#define CORE_EMERGENCY_H

#include <stdbool.h>
#include <stddef.h>

#define EMERGENCY_BYTES_MAX (1UL << 40)

// A zeroed block at a multiple of `alignment` (a power of two); NULL without memory.
void *emergency_allocate(size_t bytes, size_t alignment);
// False: it was freed before, and nothing was done.
bool emergency_free(void *ptr);

// It lies in an area; whether it is a block, emergency_usable_bytes() tells.
bool emergency_is_inside(const void *ptr);
// Usable bytes of the block in use at `ptr`; SIZE_MAX: there is none.
size_t emergency_usable_bytes(const void *ptr);

#endif
