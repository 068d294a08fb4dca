/* sampled.h - guard:N: counts blocks, and takes one in N from the pool of guard pages. */
#ifndef SAMPLING_SAMPLED_H
#define SAMPLING_SAMPLED_H

#include <stdbool.h>
#include <stddef.h>

// A sampled block, or a usual one that is at hand; NULL: take the long way.
void *sampled_allocate_usual(size_t bytes, const void *caller);
// Frees a sampled block; false: it is none, or the long way has to free it.
bool sampled_free_usual(void *ptr, const void *caller);

#endif
