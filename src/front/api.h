/* api.h - the C contract under internal names; interpose.c exports the public ones.
 *
 * Semantics are glibc's: see malloc(3), posix_memalign(3), malloc_usable_size(3). All functions
 * are thread-safe and keep errno unless they fail.
 */
#ifndef FRONT_API_H
#define FRONT_API_H

#include <stddef.h>

void *api_malloc(size_t bytes);
void api_free(void *ptr);
void *api_calloc(size_t count, size_t bytes);
void *api_realloc(void *ptr, size_t bytes);
void *api_memalign(size_t alignment, size_t bytes);
void *api_aligned_alloc(size_t alignment, size_t bytes);
int api_posix_memalign(void **result, size_t alignment, size_t bytes);
void *api_valloc(size_t bytes);
void *api_pvalloc(size_t bytes);
size_t api_usable_size(void *ptr);
// Hardened mode, before free_sized and free_aligned_sized: dies when the block does not match.
// `caller`: the return address to report.
void api_check_sized(void *ptr, size_t alignment, size_t bytes, const void *caller);
int api_malloc_trim(size_t pad_bytes);
int api_mallopt(int parameter, int value);

#endif
