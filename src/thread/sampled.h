/* sampled.h - guard:N: counts blocks, and takes one in N from the pool of guard pages. */
#ifndef THREAD_SAMPLED_H
#define THREAD_SAMPLED_H

#include <stdbool.h>
#include <stddef.h>

// The usual slow malloc and free while guard is on; NULL and false: take the long way.
void *sampled_take_usual(size_t bytes, const void *caller);
bool sampled_give_usual(void *ptr, const void *caller);

#endif
