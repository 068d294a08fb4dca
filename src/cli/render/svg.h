/* svg.h - the frame of every picture: one file, no scripts, light and dark. */
#ifndef CLI_RENDER_SVG_H
#define CLI_RENDER_SVG_H

#include "cli/render/text.h"

/* Open and close an SVG of the given size in pixels. */
void svg_open(struct text *out, unsigned width, unsigned height, const char *title);
void svg_close(struct text *out);

/* Write `svg` to the file `path`, inside of an HTML page if the name ends in .html or .htm; `notes`
 * is HTML that the page shows below the picture. */
void svg_write_path(const struct text *svg, const struct text *notes, const char *title,
                    const char *path);

/* By its name, the file is to be a page of HTML, else a bare SVG. */
bool svg_is_page(const char *path);

#endif
