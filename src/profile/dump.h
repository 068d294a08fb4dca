/* dump.h - the profile as a file: the heap profile that jeprof and pprof read, with lines of our
 * own that they take for comments. */
#ifndef PROFILE_DUMP_H
#define PROFILE_DUMP_H

#include <stdint.h>

// Writes the whole file; the errno of a failure, 0 for done. In any state; blocks may be sampled
// meanwhile. `before_bytes`: in use since before the profile began.
int dump_write(int fd, uint64_t before_bytes);

// Writes what is still in use, by site, the most bytes first, in lines for people.
void dump_leaks(int fd);

#endif
