/* libc.c - stubs for glibc's malloc under its internal names, for static programs.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      none.
 * Invariants: none.
 *
 * The library forwards blocks of another malloc to these, and all requests of programs that
 * MYALLOC_EXCLUDE names. A program linked with libmyalloc.a has no other malloc and is never
 * excluded. Without these definitions the linker would pull in libc's malloc, and find duplicate
 * symbols.
 */
#include "base/compiler.h"
#include "front/shadow.h"

#include <errno.h>
#include <stddef.h>

HIDDEN void *__libc_malloc(size_t bytes);
HIDDEN void *__libc_calloc(size_t count, size_t bytes);
HIDDEN void *__libc_calloc(size_t count, size_t bytes)
{
    (void)count;
    return __libc_malloc(bytes);
}

void *__libc_memalign(size_t alignment, size_t bytes);
HIDDEN void *__libc_realloc(void *ptr, size_t bytes);
HIDDEN void __libc_free(void *ptr);

void *__libc_malloc(size_t bytes)
{
    (void)bytes;
    errno = ENOMEM;
    return NULL;
}

void *__libc_memalign(size_t alignment, size_t bytes)
{
    (void)alignment;
    return __libc_malloc(bytes);
}

void *__libc_realloc(void *ptr, size_t bytes)
{
    (void)ptr;
    return __libc_malloc(bytes);
}

void __libc_free(void *ptr)
{
    (void)ptr;
}

void *shadow_owner(enum shadow_call call)
{
    (void)call;
    return NULL;
}
