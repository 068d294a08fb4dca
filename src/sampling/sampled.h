/* sampled.h - guard:N: counts blocks, and allocates one in N from the guarded pool. */
#ifndef SAMPLING_SAMPLED_H
#define SAMPLING_SAMPLED_H

#include <stdbool.h>
#include <stddef.h>

// Allocates a sampled block, or a usual one from the cache; NULL: take the long path.
void *sampled_allocate_usual(size_t bytes, const void *caller);
// Frees a sampled block; false: it is none, or the long path must free it.
bool sampled_free_usual(void *ptr, const void *caller);

#endif
