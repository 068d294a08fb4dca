/* elf_file.h - the facts about a program file that decide whether LD_PRELOAD works. */
#ifndef CLI_COMMANDS_ELF_FILE_H
#define CLI_COMMANDS_ELF_FILE_H

#include "cli/render/text.h"

struct elf_facts {
    bool is_elf;           // [const] starts with the ELF magic; else nothing below is set
    bool is_damaged;       // [const] lengths or offsets lead outside the file
    bool is_of_this_cpu;   // [const] the kind that the command and the library are for
    bool is_dynamic;       // [const] names a dynamic linker, which reads LD_PRELOAD
    bool defines_malloc;   // [const] exports a malloc of its own
    const char *sanitizer; // [const] "AddressSanitizer", ...; NULL: none
    struct text needed;    // [owner] names of the shared libraries, each followed by a line end
    char script_line[256]; // [const] for "#!": the interpreter and its argument; else ""
};

/* Read a file.  Returns 0 or the errno; free facts->needed afterwards. */
int elf_file_read(const char *path, struct elf_facts *facts);

#endif
