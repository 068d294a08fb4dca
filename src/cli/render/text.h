/* text.h - a string that grows: every command builds its output in one and writes it whole. */
#ifndef CLI_RENDER_TEXT_H
#define CLI_RENDER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct text {
    char *data;      // [owner] ends with a zero; NULL while nothing was put
    size_t bytes;    // [owner] length without the zero
    size_t capacity; // [owner] bytes allocated
};

/* Append. */
void text_put(struct text *text, const char *string);
void text_put_char(struct text *text, char c);
void text_put_bytes(struct text *text, const char *bytes, size_t count);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes of the UTF-8 character at `string`, or 0 if it is none. */
size_t text_character_bytes(const char *string);

/* Append a string with the five characters that HTML and SVG reserve replaced, and what is no UTF-8
 * by '?', since a path may hold anything. */
void text_put_escaped(struct text *text, const char *string);

/* The string; "" while nothing was put. */
const char *text_string(const struct text *text);

/* From now on text_write breaks lines of more than `columns` at blanks; 0: it does not. */
void text_set_width(unsigned columns);
unsigned text_width(void);

/* Break the lines of a text, words never; what goes on is indented. */
void text_fit(struct text *text, unsigned columns);

/* Write to `file` and empty the text; a failure to write (disk full) ends the command. Of a file of
 * ours, the first time, what it held before goes. */
void text_write(struct text *text, FILE *file);

/* Read the whole file `path` into an empty text. Returns 0 or the errno; EFBIG: it has more than
 * `bytes_max`, as devices do that never end. */
int text_read_path(struct text *text, const char *path, size_t bytes_max);

/* Write to the file `path`, or die with its name and the reason. */
void text_write_path(const struct text *text, const char *path);

void text_clear(struct text *text);
void text_free(struct text *text);

/* Replace control characters, which could steer a terminal, by '?'. */
void text_make_printable(char *string);

/* Append what fits into `columns` of the first `count` bytes, whole characters only. */
void text_put_cut(struct text *text, const char *bytes, size_t count, size_t columns);

/* Columns that a UTF-8 string takes on a terminal; Korean letters take two. */
size_t text_columns(const char *string);

#endif
