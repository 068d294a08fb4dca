/* tables.h - where the counts are, for readers of our memory. */
#ifndef INSPECT_TABLES_H
#define INSPECT_TABLES_H

#include "base/compiler.h"
#include "myalloc_live.h"

// From the linker: the tables of all modules, see base/tables.h.
extern HIDDEN const struct myalloc_table tables_begin[] __asm__("__start_myalloc_tables");
extern HIDDEN const struct myalloc_table tables_end[] __asm__("__stop_myalloc_tables");

#endif
