/* symbols.h - names of functions, by the files that a process had mapped. */
#ifndef CLI_COMMANDS_SYMBOLS_H
#define CLI_COMMANDS_SYMBOLS_H

#include "cli/procfs/procfs.h"

struct symbols; // of one process

/* `mappings` must outlive it. */
struct symbols *symbols_open(const struct mappings *mappings);
void symbols_close(struct symbols *symbols);

/* The names of all return addresses that symbols_name will be asked for, in one go: what has debug
 * data is asked addr2line about, with the functions that the compiler inlined. */
void symbols_look_up(struct symbols *symbols, const uint64_t *addresses, size_t count);

/* The functions at a return address, the innermost first, with line ends between: more than one
 * where calls were inlined. Never empty: without a symbol "FILE+0xOFFSET". Until symbols_close. */
const char *symbols_name(struct symbols *symbols, uint64_t address);

#endif
