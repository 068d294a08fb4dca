/* dump.h - the profile as a file: the heap profile that jeprof and pprof read, with lines of our
 * own that they treat as comments. */
#ifndef PROFILE_DUMP_H
#define PROFILE_DUMP_H

#include <stdint.h>

// Writes the whole file; returns an errno, or 0 on success. In any state; blocks may be sampled
// meanwhile. `before_bytes`: in use since before the profile was started.
int dump_write(int fd, uint64_t before_bytes);

// Writes what is still in use, by site, largest first, in human-readable lines.
void dump_leaks(int fd);

#endif
