/* flame.h - a profile as a page: a flame graph that can be clicked, searched and printed. */
#ifndef CLI_RENDER_FLAME_H
#define CLI_RENDER_FLAME_H

#include "cli/render/text.h"

#include <stdint.h>

enum { FLAME_IN_USE, FLAME_AT_PEAK, FLAME_IN_ALL, FLAME_KINDS };

/* A stack: its functions from the outermost on, with line ends between, and what it holds. */
struct flame_row {
    char *path;
    uint64_t blocks[FLAME_KINDS], bytes[FLAME_KINDS];
};

struct flame {
    const char *program; // and its arguments; printable
    const char *facts;   // a line about the process and the time
    const struct flame_row *rows;
    size_t count;
};

/* Append the whole page: it loads nothing from elsewhere. */
void flame_put_page(struct text *out, const struct flame *flame);

/* Append a line for each stack, "a;b;c BYTES", as flamegraph.pl reads it. */
void flame_put_folded(struct text *out, const struct flame *flame, unsigned kind);

#endif
