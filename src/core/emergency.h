/* emergency.h - blocks for signal handlers that interrupted the allocator itself: lock-free, from
 * areas of their own, never freed. Any thread, any state. */
#ifndef CORE_EMERGENCY_H
#define CORE_EMERGENCY_H

#include <stdbool.h>
#include <stddef.h>

#define EMERGENCY_BYTES_MAX (1UL << 40)

// A zeroed block at a multiple of `alignment` (a power of two); NULL without memory.
void *emergency_allocate(size_t bytes, size_t alignment);

bool emergency_is_inside(const void *ptr);
// Usable bytes of an emergency block.
size_t emergency_usable_bytes(const void *ptr);

#endif
