/* table.h - columns of cells, aligned and coloured. */
#ifndef CLI_RENDER_TABLE_H
#define CLI_RENDER_TABLE_H

#include "cli/render/text.h"

enum colour {
    COLOUR_NONE,
    COLOUR_BOLD,
    COLOUR_DIM,
    COLOUR_RED,
    COLOUR_GREEN,
    COLOUR_YELLOW,
    COLOUR_BLUE,
    COLOUR_MAGENTA,
    COLOUR_CYAN,
};

struct table {
    const char *alignment;    // [const] one character per column: 'l' or 'r'
    const char *spare;        // [const] columns that go, in this order, where all are too wide
    size_t column_count;      // [const]
    struct table_cell *cells; // [owner] row by row
    size_t cell_count;        // [owner]
    size_t capacity;          // [owner]
};

/* Start a table whose columns are aligned as `alignment` says. */
void table_init(struct table *table, const char *alignment);

/* Append the next cell, left to right, top to bottom. */
void table_cell(struct table *table, enum colour colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Append a cell of the last column with a bar behind it: `share` of the longest, from 0 to 1. */
void table_bar(struct table *table, enum colour colour, double share, const char *string);

/* Append one row that is a line of text across all columns. */
void table_line(struct table *table, enum colour colour, const char *string);

/* Append the table to `out`, coloured or not, and free it. It keeps to the width of the output as
 * far as spare columns and shorter bars make it fit. */
void table_print(struct table *table, struct text *out, bool coloured);

/* Append `string` in a colour, or plain. */
void table_put_coloured(struct text *out, bool coloured, enum colour colour, const char *string);

#endif
