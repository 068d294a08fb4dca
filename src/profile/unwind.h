/* unwind.h - the stack of the calling thread, as return addresses: no allocation, no lock of the
 * program or the loader. For the holder of LOCK_PROFILE, unless said otherwise. */
#ifndef PROFILE_UNWIND_H
#define PROFILE_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#define UNWIND_FRAMES_MAX 64

// Stores the return addresses from `caller` on, which lies in the function that called us; returns
// their number, at most UNWIND_FRAMES_MAX. Stores only `caller` if the walk does not reach it. If
// the loader cannot look up objects without a lock (glibc before 2.35), only frame pointers are
// followed.
unsigned unwind_stack(const void *caller, const void **frames);

#endif
