/* shadow.h - is `malloc` somebody else's: the program's own, or an earlier preload's? */
#ifndef FRONT_SHADOW_H
#define FRONT_SHADOW_H

#include <stdbool.h>

// `public_malloc` is what the process means by malloc and differs from our own. True: another
// definition comes first, and nobody has called ours yet (a wrapper that forwards to us would
// have). What we export beside malloc must then not hand out our blocks.
bool shadow_is_active(const void *public_malloc);

// A library may be linked with ours, and its names bound to it, in a process that has another
// malloc: what other libraries give it, as strdup does, is that one's. The function of the family
// that the process means, for a foreign block; NULL: the process means ours.
enum shadow_call { SHADOW_FREE, SHADOW_REALLOC, SHADOW_USABLE_SIZE, SHADOW_CALLS };
void *shadow_owner(enum shadow_call call);

#endif
