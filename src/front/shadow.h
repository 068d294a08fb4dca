/* shadow.h - is `malloc` another one: the program's own, or that of an earlier preload? */
#ifndef FRONT_SHADOW_H
#define FRONT_SHADOW_H

#include <stdbool.h>

// `public_malloc` is what the process resolves malloc to, and differs from our own. True: another
// definition comes first, and nobody has called ours yet (a wrapper that forwards to us would
// have). Our other exports must then not hand out our blocks.
bool shadow_is_active(const void *public_malloc);

// A library may be linked with ours and bound to our names in a process that uses another malloc:
// blocks that other libraries pass to it, such as strdup's, are from that one. Returns the function
// of the process's malloc for such a foreign block; NULL: the process uses ours.
enum shadow_call { SHADOW_FREE, SHADOW_REALLOC, SHADOW_USABLE_SIZE, SHADOW_CALLS };
void *shadow_owner(enum shadow_call call);

#endif
