/* script.h - what a shell script starts in its own place, as far as its text tells. */
#ifndef CLI_COMMANDS_SCRIPT_H
#define CLI_COMMANDS_SCRIPT_H

#include "cli/render/text.h"

/* The program of the last `exec` of the script at `path`, its variables put in; empty when it has
 * none.  Returns false when the word holds what only a shell can tell. */
bool script_find_exec(const char *path, struct text *word);

#endif
