/* emergency.h - allocates blocks for signal handlers that interrupted the allocator itself:
 * lock-free, from separate areas. Any thread, in any state. */
#ifndef CORE_EMERGENCY_H
#define CORE_EMERGENCY_H

#include <stdbool.h>
#include <stddef.h>

#define EMERGENCY_BYTES_MAX (1UL << 40)

// Allocates a zeroed block at a multiple of `alignment` (a power of two); NULL if out of memory.
void *emergency_allocate(size_t bytes, size_t alignment);
// False: it was already free, nothing changed.
bool emergency_free(void *ptr);

// True if `ptr` lies in an area; emergency_usable_bytes() tells whether it is a block.
bool emergency_is_inside(const void *ptr);
// Usable bytes of the block in use that begins at `ptr`; SIZE_MAX: there is none.
size_t emergency_usable_bytes(const void *ptr);

#endif
