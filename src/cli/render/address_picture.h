/* address_picture.h - an address space as text books draw it: high addresses on top. */
#ifndef CLI_RENDER_ADDRESS_PICTURE_H
#define CLI_RENDER_ADDRESS_PICTURE_H

#include "cli/procfs/regions.h"
#include "cli/commands/target.h"

/* Write the picture of the regions of `target` to the file `path`, .svg or .html. */
void address_picture_write(const struct target *target, const struct region *regions,
                           const char *path);

#endif
