/* tables.h - tells external readers of our memory where the counts are: struct myalloc_table of
 * include/myalloc_live.h.
 *
 * Each module describes what it owns, in a separate section; an ELF note in inspect/tables.c points
 * to it. No code runs for this: the loader relocates the addresses.
 */
#ifndef BASE_TABLES_H
#define BASE_TABLES_H

#include "myalloc_live.h"

#include <stddef.h>

// Defines the entry NAME; the rest is a designated initializer without its braces.
#define TABLE(name, ...)                                                                           \
    __attribute__((used, section("myalloc_tables"),                                                \
                   aligned(64))) static const struct myalloc_table g_##name##_table = {            \
        .version = MYALLOC_TABLES_VERSION, __VA_ARGS__}

#endif
