/* line.h - builds one line of text on the stack: no malloc, no stdio, safe in signal handlers. */
#ifndef BASE_LINE_H
#define BASE_LINE_H

#include <stddef.h>
#include <stdint.h>

struct line {
    size_t used; // bytes; what does not fit is cut off
    char text[512];
};

void line_add(struct line *line, const char *text);
void line_add_bytes(struct line *line, const char *text, size_t bytes);
void line_add_number(struct line *line, uint64_t number);
void line_add_hex(struct line *line, uintptr_t number); // with 0x

// Writes what is there and empties it: more of the line may follow. errno kept; no signal comes of
// it. The errno of a failure, 0 for done.
int line_put(struct line *line, int fd);
// The same of the line and a newline, in one write.
int line_write(struct line *line, int fd);

#endif
