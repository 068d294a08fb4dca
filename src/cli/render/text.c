/* text.c - growing strings.
 *
 * Owns:       the bytes behind struct text.
 * Threads:    one.
 * Invariants: TEXT-1  data is NULL or data[bytes] == 0 and bytes < capacity.
 *             TEXT-2  what comes from other processes passes text_make_printable before it is
 *                     shown.
 */
#include "cli/render/text.h"

#include "cli/tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void reserve(struct text *text, size_t more)
{
    if (text->bytes + more < text->capacity) {
        return;
    }
    size_t capacity = text->capacity != 0 ? text->capacity : 256;
    while (capacity <= text->bytes + more) {
        capacity *= 2;
    }
    text->data = tool_resize(text->data, capacity);
    text->capacity = capacity;
}

void text_put_bytes(struct text *text, const char *bytes, size_t count)
{
    reserve(text, count);
    memcpy(text->data + text->bytes, bytes, count);
    text->bytes += count;
    text->data[text->bytes] = 0; // TEXT-1
}

void text_put(struct text *text, const char *string)
{
    text_put_bytes(text, string, strlen(string));
}

void text_put_char(struct text *text, char c)
{
    text_put_bytes(text, &c, 1);
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length > 0) {
        reserve(text, (size_t)length + 1);
        vsnprintf(text->data + text->bytes, (size_t)length + 1, format, again);
        text->bytes += (size_t)length;
    }
    va_end(again);
}

size_t text_character_bytes(const char *string)
{
    const unsigned char *const s = (const unsigned char *)string;
    const size_t bytes = s[0] < 0x80                    ? 1
                         : s[0] >= 0xc2 && s[0] <= 0xdf ? 2
                         : s[0] >= 0xe0 && s[0] <= 0xef ? 3
                         : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                        : 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    const bool is_overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    const bool is_surrogate = s[0] == 0xed && s[1] >= 0xa0;
    return is_overlong || is_surrogate ? 0 : bytes;
}

static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void text_put_escaped(struct text *text, const char *string)
{
    while (*string != 0) {
        const size_t bytes = text_character_bytes(string);
        const char *const escape = bytes != 0 ? escape_of(*string) : "?";
        if (escape != NULL) {
            text_put(text, escape);
        } else {
            text_put_bytes(text, string, bytes);
        }
        string += bytes != 0 ? bytes : 1;
    }
}

const char *text_string(const struct text *text)
{
    return text->data != NULL ? text->data : "";
}

// ---- width ----

static unsigned g_columns; // [owner] of text_set_width

void text_set_width(unsigned columns)
{
    g_columns = columns;
}

unsigned text_width(void)
{
    return g_columns;
}

/* One character, or an escape of the terminal, which takes no column; 0 also inside a character. */
static unsigned character_columns(const char *at, size_t *bytes)
{
    *bytes = 1;
    if (at[0] == '\033' && at[1] == '[') {
        *bytes = 2 + strcspn(at + 2, "ABCDHJKm");
        *bytes += at[*bytes] != 0 ? 1 : 0;
        return 0;
    }
    const unsigned char c = (unsigned char)*at;
    return (c & 0xc0) == 0x80 ? 0 : c >= 0xe3 && c <= 0xed ? 2 : 1; // as text_columns
}

/* Where a line that is too long goes on: under its last column, if that begins early enough. */
static unsigned indent_of(const char *line, size_t length, unsigned columns)
{
    const unsigned leading = (unsigned)strspn(line, " ");
    unsigned indent = leading + 2;
    unsigned column = 0;
    size_t bytes = 1;
    for (size_t i = 0; i < length && column <= columns / 2; i += bytes) {
        column += character_columns(line + i, &bytes);
        if (column > leading && i + 2 < length && line[i] != ' ' && line[i + 1] == ' ' &&
            line[i + 2] == ' ') {
            const unsigned gap = (unsigned)strspn(line + i + 1, " ");
            indent = column + gap <= columns / 2 ? column + gap : indent;
        }
    }
    return indent;
}

/* The bytes of the line that fit; all of a word that is longer than that. What two blanks set apart
 * stays together, unless most of the line would be empty. */
static size_t fitting_bytes(const char *line, size_t length, unsigned columns)
{
    unsigned column = 0;
    size_t blank = 0; // the last one behind a word
    size_t gap = 0;   // the last two
    size_t bytes = 1;
    for (size_t i = 0; i < length; i += bytes) {
        if (line[i] == ' ' && i > 0 && line[i - 1] != ' ' && strspn(line, " ") < i) {
            if (column > columns && blank == 0) {
                return i;
            }
            blank = column <= columns ? i : blank;
            gap = column <= columns && column > columns / 2 && line[i + 1] == ' ' ? i : gap;
        }
        column += character_columns(line + i, &bytes);
        if (column > columns && blank != 0) {
            return gap != 0 ? gap : blank;
        }
    }
    return length;
}

static void fit_line(struct text *fitted, const char *line, size_t length, unsigned columns)
{
    const unsigned indent = indent_of(line, length, columns);
    size_t part = fitting_bytes(line, length, columns);
    text_put_bytes(fitted, line, part);
    while (part < length) {
        line += part;
        length -= part;
        const size_t blanks = strspn(line, " ");
        if (blanks >= length) {
            break;
        }
        line += blanks;
        length -= blanks;
        text_printf(fitted, "\n%*s", (int)indent, "");
        part = fitting_bytes(line, length, columns - indent);
        text_put_bytes(fitted, line, part);
    }
}

void text_fit(struct text *text, unsigned columns)
{
    struct text fitted = {0};
    const char *line = text_string(text);
    while (*line != 0) {
        const size_t length = strcspn(line, "\n");
        fit_line(&fitted, line, length, columns);
        line += length;
        if (*line == '\n') {
            text_put_char(&fitted, '\n');
            line++;
        }
    }
    text_free(text);
    *text = fitted;
}

// ---- files ----

/* What a file of ours held before goes when there is something new, and not before: a command that
 * fails leaves it as it was, and one that reads what it writes to has read it. */
static void drop_old(FILE *file)
{
    if (file != stdout && file != stderr && ftello(file) == 0) {
        (void)!ftruncate(fileno(file), 0); // what is no regular file has nothing to drop
    }
}

void text_write(struct text *text, FILE *file)
{
    drop_old(file);
    if (g_columns != 0) {
        text_fit(text, g_columns);
    }
    const bool written = fwrite(text_string(text), 1, text->bytes, file) == text->bytes;
    if (!written || fflush(file) != 0) {
        // A reader that went away (head, a closed pager) needs no message.
        if (errno == EPIPE) {
            exit(TOOL_FAILED);
        }
        tool_die(TOOL_FAILED, "cannot write the output: %s", strerror(errno));
    }
    text_clear(text);
}

int text_read_path(struct text *text, const char *path, size_t bytes_max)
{
    FILE *const file = fopen(path, "re");
    if (file == NULL) {
        return errno;
    }
    char buffer[16384];
    size_t count = 0;
    while (text->bytes <= bytes_max && (count = fread(buffer, 1, sizeof(buffer), file)) > 0) {
        text_put_bytes(text, buffer, count);
    }
    const int error = ferror(file) != 0 ? errno : text->bytes > bytes_max ? EFBIG : 0;
    fclose(file);
    return error;
}

void text_write_path(const struct text *text, const char *path)
{
    FILE *const file = fopen(path, "we");
    if (file == NULL) {
        tool_die(TOOL_FAILED, "cannot write %s: %s", path, strerror(errno));
    }
    const bool written = fwrite(text_string(text), 1, text->bytes, file) == text->bytes;
    if (fclose(file) != 0 || !written) {
        tool_die(TOOL_FAILED, "cannot write %s: %s", path, strerror(errno));
    }
}

void text_clear(struct text *text)
{
    text->bytes = 0;
    if (text->data != NULL) {
        text->data[0] = 0;
    }
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

void text_make_printable(char *string)
{
    for (; *string != 0; string++) {
        const unsigned char c = (unsigned char)*string;
        if (c < 0x20 || c == 0x7f) {
            *string = '?';
        }
    }
}

size_t text_columns(const char *string)
{
    size_t columns = 0;
    for (const unsigned char *c = (const unsigned char *)string; *c != 0; c++) {
        if ((*c & 0xc0) == 0x80) {
            continue; // the rest of a character that was counted
        }
        // 0xea .. 0xed lead the Hangul syllables; 0xe3 .. 0xe9 the other wide letters.
        columns += *c >= 0xe3 && *c <= 0xed ? 2 : 1;
    }
    return columns;
}

void text_put_cut(struct text *text, const char *bytes, size_t count, size_t columns)
{
    for (size_t at = 0; at < count;) {
        char character[8] = {bytes[at]};
        size_t length = text_character_bytes(bytes + at);
        length = length == 0 || length > count - at ? 1 : length;
        memcpy(character, bytes + at, length);
        const size_t wide = text_columns(character);
        if (wide > columns) {
            return;
        }
        columns -= wide;
        text_put_bytes(text, character, length);
        at += length;
    }
}
