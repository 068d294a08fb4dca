/* tables.h - tells readers of our memory where the counts are: struct myalloc_table of
 * include/myalloc_live.h.
 *
 * Each module describes what it owns, in a section of its own; inspect/tables.c leads there by an
 * ELF note. Nothing of that runs: the loader puts the addresses in.
 */
#ifndef BASE_TABLES_H
#define BASE_TABLES_H

#include "myalloc_live.h"

#include <stddef.h>

// The entry NAME: a designated initializer without its braces.
#define TABLE(name, ...)                                                                           \
    __attribute__((used, section("myalloc_tables"),                                                \
                   aligned(64))) static const struct myalloc_table g_##name##_table = {            \
        .version = MYALLOC_TABLES_VERSION, __VA_ARGS__}

#endif
