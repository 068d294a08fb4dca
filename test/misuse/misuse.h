/* misuse.h - what the cases of the catalogue share: one program per kind of misuse, the size of the
 * misused block as its argument.
 *
 * A case misuses the allocator and then says NOT_CAUGHT by puts, which allocates its buffer: an
 * attacker who came so far has won. When it finds that its misuse had no effect that anyone could
 * see, it says HARMLESS instead. An allocator that notices ends the process before either.
 */
#ifndef MISUSE_H
#define MISUSE_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATTERN = 0x5c, OTHERS = 16, MEGABYTE = 1 << 20 };

/* The bytes that the case is to allocate. */
static inline size_t case_size(int argc, char **argv)
{
    if (argc != 2) {
        _exit(99);
    }
    return strtoul(argv[1], NULL, 10);
}

/* A block like most: not the only one, its bytes written. */
static inline char *make_block(size_t bytes)
{
    char *block = (char *)malloc(bytes);
    if (block == NULL) {
        _exit(98);
    }
    memset(block, PATTERN, bytes);
    return block;
}

static inline int not_caught(void)
{
    puts("NOT_CAUGHT");
    fflush(stdout);
    return 0;
}

static inline int harmless(void)
{
    puts("HARMLESS");
    fflush(stdout);
    return 0;
}

/* What an attacker reads. */
static inline int has_pattern(const volatile char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (block[i] == PATTERN) {
            return 1;
        }
    }
    return 0;
}

static inline int is_zero(const volatile char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (block[i] != 0) {
            return 0;
        }
    }
    return 1;
}

#endif
