/* frame_name.h - names of functions that fit into a column. */
#ifndef CLI_COMMANDS_FRAME_NAME_H
#define CLI_COMMANDS_FRAME_NAME_H

#include "cli/render/text.h"

/* Append a name of `bytes` bytes in at most `columns` columns: what stands in angle brackets goes
 * first, then the parameters, then the end. */
void frame_name_put(struct text *out, const char *name, size_t bytes, size_t columns);

#endif
