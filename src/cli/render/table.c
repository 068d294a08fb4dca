/* table.c - the one printer of columns.
 *
 * Owns:       the cells of struct table until table_print.
 * Threads:    one.
 * Invariants: TABLE-1  widths count terminal columns, not bytes; the last column is never padded.
 *             TABLE-2  colour changes no width: the escapes are put around the padded cell.
 */
#include "cli/render/table.h"

#include "cli/tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct table_cell {
    char *string;       // [owner] never NULL
    enum colour colour; // [const]
    bool is_line;       // [const] stands for a whole row
};

static const char *const g_colour_escapes[] = {
    [COLOUR_NONE] = "",         [COLOUR_BOLD] = "\033[1m",     [COLOUR_DIM] = "\033[2m",
    [COLOUR_RED] = "\033[31m",  [COLOUR_GREEN] = "\033[32m",   [COLOUR_YELLOW] = "\033[33m",
    [COLOUR_BLUE] = "\033[34m", [COLOUR_MAGENTA] = "\033[35m", [COLOUR_CYAN] = "\033[36m",
};

void table_init(struct table *table, const char *alignment)
{
    *table = (struct table){.alignment = alignment, .column_count = strlen(alignment)};
}

static struct table_cell *append(struct table *table)
{
    if (table->cell_count == table->capacity) {
        table->capacity = table->capacity != 0 ? 2 * table->capacity : 64;
        table->cells = tool_resize(table->cells, table->capacity * sizeof(*table->cells));
    }
    return &table->cells[table->cell_count++];
}

void table_cell(struct table *table, enum colour colour, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *string = NULL;
    if (vasprintf(&string, format, arguments) < 0) {
        tool_die(TOOL_FAILED, "out of memory");
    }
    va_end(arguments);
    *append(table) = (struct table_cell){.string = string, .colour = colour};
}

void table_line(struct table *table, enum colour colour, const char *string)
{
    char *const copy = strdup(string);
    if (copy == NULL) {
        tool_die(TOOL_FAILED, "out of memory");
    }
    *append(table) = (struct table_cell){.string = copy, .colour = colour, .is_line = true};
}

void table_put_coloured(struct text *out, bool coloured, enum colour colour, const char *string)
{
    const bool escape = coloured && colour != COLOUR_NONE;
    text_put(out, escape ? g_colour_escapes[colour] : "");
    text_put(out, string);
    text_put(out, escape ? "\033[0m" : "");
}

static void put_spaces(struct text *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        text_put_char(out, ' ');
    }
}

static void measure(const struct table *table, size_t *widths)
{
    size_t column = 0;
    for (size_t i = 0; i < table->cell_count; i++) {
        const struct table_cell *const cell = &table->cells[i];
        if (cell->is_line) {
            continue;
        }
        const size_t columns = text_columns(cell->string);
        widths[column] = columns > widths[column] ? columns : widths[column];
        column = (column + 1) % table->column_count;
    }
}

void table_print(struct table *table, struct text *out, bool coloured)
{
    size_t *const widths = tool_allocate(table->column_count * sizeof(*widths));
    memset(widths, 0, table->column_count * sizeof(*widths));
    measure(table, widths);
    size_t column = 0;
    for (size_t i = 0; i < table->cell_count; i++) {
        const struct table_cell *const cell = &table->cells[i];
        const bool is_last = cell->is_line || column + 1 == table->column_count;
        const size_t padding = cell->is_line ? 0 : widths[column] - text_columns(cell->string);
        const bool is_right = !cell->is_line && table->alignment[column] == 'r';
        put_spaces(out, is_right ? padding : 0);
        table_put_coloured(out, coloured, cell->colour, cell->string);
        put_spaces(out, is_right || is_last ? 0 : padding); // TABLE-1
        text_put(out, is_last ? "\n" : "  ");
        column = cell->is_line ? column : (column + 1) % table->column_count;
        free(cell->string);
    }
    free(widths);
    free(table->cells);
    *table = (struct table){0};
}
