/* libc.c - glibc's malloc under its inner names, as a static program has it: not at all.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      none.
 * Invariants: none.
 *
 * The library forwards to these what another malloc allocated, and requests of programs that
 * MYALLOC_EXCLUDE names. Where libmyalloc.a is linked no other malloc is, and nobody is excluded.
 * Without these names here the linker would bring libc's malloc, and find all its names twice.
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
