/* shadow.h - is `malloc` somebody else's: the program's own, or an earlier preload's? */
#ifndef FRONT_SHADOW_H
#define FRONT_SHADOW_H

#include <stdbool.h>

// `public_malloc` is what the process means by malloc and differs from our own. True: another
// definition comes first, and nobody has called ours yet (a wrapper that forwards to us would
// have). What we export beside malloc must then not hand out our blocks.
bool shadow_is_active(const void *public_malloc);

#endif
