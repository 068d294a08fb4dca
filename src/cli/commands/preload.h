/* preload.h - where the library is, and whether a program will take it. */
#ifndef CLI_COMMANDS_PRELOAD_H
#define CLI_COMMANDS_PRELOAD_H

#include "cli/render/text.h"

struct verdict {
    struct text program;     // [owner] the file that was judged
    struct text obstacles;   // [owner] sentences why it will not work, one per line; empty: it will
    struct text doubts;      // [owner] sentences why it will hardly work, one per line
    struct text remarks;     // [owner] sentences worth knowing, one per line
    struct text interpreter; // [owner] of a script: the program that will really run; else empty
    int error;               // [const] errno if the file was not found or is not executable, else 0
};

/* Judge the program `name`, searched for in PATH as execvp does. */
void preload_judge(const char *name, struct verdict *verdict);
void preload_verdict_free(struct verdict *verdict);

/* The absolute path of libmyalloc.so: MYALLOC_LIB, or beside this command, or in ../lib of it.
 * Returns false if there is none; `path` then tells where it was looked for. */
bool preload_find_library(struct text *path);

#endif
