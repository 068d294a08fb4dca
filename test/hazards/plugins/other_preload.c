/* other_preload.c - a second preloaded allocator, as profilers bring one: it counts and goes to
 * libc.
 */
#include <stddef.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *ptr, size_t bytes);
extern void __libc_free(void *ptr);

void *malloc(size_t bytes)
{
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return __libc_calloc(count, bytes);
}

void *realloc(void *ptr, size_t bytes)
{
    return __libc_realloc(ptr, bytes);
}

void free(void *ptr)
{
    __libc_free(ptr);
}
