/* table.c - the one printer of columns.
 *
 * Owns:       the cells of struct table until table_print.
 * Threads:    one.
 * Invariants: TABLE-1  widths count terminal columns, not bytes; the last column is never padded.
 *             TABLE-2  colour changes no width: the escapes are put around the padded cell.
 *             TABLE-3  bars of one table keep their proportions, however little room there is.
 */
#include "cli/render/table.h"

#include "cli/tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BAR_COLUMNS 24u // at most
#define BAR_BEFORE  10u // columns at least, from the start of the cell to its bar

struct table_cell {
    char *string;       // [owner] never NULL
    double share;       // [const] of the longest bar
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
    *table = (struct table){.alignment = alignment, .spare = "", .column_count = strlen(alignment)};
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

static char *copy_of(const char *string)
{
    char *const copy = strdup(string);
    if (copy == NULL) {
        tool_die(TOOL_FAILED, "out of memory");
    }
    return copy;
}

void table_bar(struct table *table, enum colour colour, double share, const char *string)
{
    *append(table) =
        (struct table_cell){.string = copy_of(string), .colour = colour, .share = share};
}

void table_line(struct table *table, enum colour colour, const char *string)
{
    *append(table) =
        (struct table_cell){.string = copy_of(string), .colour = colour, .is_line = true};
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

/* Where the last column begins. */
static size_t columns_before(const struct table *table, const size_t *widths)
{
    size_t columns = 0;
    for (size_t i = 0; i + 1 < table->column_count; i++) {
        columns += widths[i] != 0 ? widths[i] + 2 : 0;
    }
    return columns;
}

/* Spare columns go until the rest fits: then their width is 0. */
static void drop_spare(const struct table *table, size_t *widths)
{
    const size_t last = widths[table->column_count - 1];
    const char *spare = table->spare;
    while (*spare != 0 && text_width() != 0 &&
           columns_before(table, widths) + last > text_width()) {
        widths[*spare++ - '0'] = 0;
    }
}

/* TABLE-3: as long as the longest bar may be. */
static size_t room_for_bars(const struct table *table, const size_t *widths)
{
    const size_t last = widths[table->column_count - 1];
    const size_t used = columns_before(table, widths) + (last > BAR_BEFORE ? last : BAR_BEFORE) + 1;
    const size_t room = used < text_width() ? text_width() - used : 0;
    return text_width() == 0 || room > BAR_COLUMNS ? BAR_COLUMNS : room;
}

static void put_cell(struct text *out, const struct table_cell *cell, bool coloured, size_t room)
{
    const size_t bar = (size_t)(cell->share * (double)room);
    struct text text = {0};
    text_put(&text, cell->string);
    if (bar != 0) {
        const size_t columns = text_columns(cell->string);
        put_spaces(&text, (columns < BAR_BEFORE ? BAR_BEFORE - columns : 0) + 1);
    }
    for (size_t i = 0; i < bar; i++) {
        text_put_char(&text, '#');
    }
    table_put_coloured(out, coloured, cell->colour, text_string(&text));
    text_free(&text);
}

struct print {
    const struct table *table; // [const]
    const size_t *widths;      // [const] 0: the column is left out
    size_t room;               // [const] for the longest bar
    struct text *out;          // [owner]
    bool coloured;             // [const]
};

static void put_row_cell(const struct print *print, const struct table_cell *cell, size_t column)
{
    const bool is_last = cell->is_line || column + 1 == print->table->column_count;
    const size_t width = cell->is_line ? text_columns(cell->string) : print->widths[column];
    if (!is_last && width == 0) {
        return;
    }
    const size_t padding = width - text_columns(cell->string);
    const bool is_right = !cell->is_line && print->table->alignment[column] == 'r';
    put_spaces(print->out, is_right ? padding : 0);
    put_cell(print->out, cell, print->coloured, print->room);
    put_spaces(print->out, is_right || is_last ? 0 : padding); // TABLE-1
    text_put(print->out, is_last ? "\n" : "  ");
}

void table_print(struct table *table, struct text *out, bool coloured)
{
    size_t *const widths = tool_allocate(table->column_count * sizeof(*widths));
    memset(widths, 0, table->column_count * sizeof(*widths));
    measure(table, widths);
    drop_spare(table, widths);
    const struct print print = {table, widths, room_for_bars(table, widths), out, coloured};
    size_t column = 0;
    for (size_t i = 0; i < table->cell_count; i++) {
        struct table_cell *const cell = &table->cells[i];
        put_row_cell(&print, cell, column);
        column = cell->is_line ? column : (column + 1) % table->column_count;
        free(cell->string);
    }
    free(widths);
    free(table->cells);
    *table = (struct table){0};
}
