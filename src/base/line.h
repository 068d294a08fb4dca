/* line.h - builds one line of text on the stack: no malloc, no stdio, safe in signal handlers. */
#ifndef BASE_LINE_H
#define BASE_LINE_H

#include <stddef.h>
#include <stdint.h>

struct line {
    size_t used; // bytes; text that does not fit is truncated
    char text[512];
};

void line_add(struct line *line, const char *text);
void line_add_bytes(struct line *line, const char *text, size_t bytes);
void line_add_number(struct line *line, uint64_t number);
void line_add_hex(struct line *line, uintptr_t number); // with 0x

// Writes the text and empties the line, so that more may follow. Preserves errno; raises no signal.
// Returns the errno, 0 on success.
int line_put(struct line *line, int fd);
// Writes the line and a newline at once; otherwise like line_put().
int line_write(struct line *line, int fd);

#endif
