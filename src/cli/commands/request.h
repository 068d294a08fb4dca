/* request.h - asks a process under the library for something, and waits for its answer. */
#ifndef CLI_COMMANDS_REQUEST_H
#define CLI_COMMANDS_REQUEST_H

#include "cli/commands/target.h"

/* Asks for one of enum myalloc_live_request. True: *path is the file that answers, which the caller
 * removes. False: why not was told. */
bool request_make(const struct target *target, unsigned request, struct text *path);

#endif
