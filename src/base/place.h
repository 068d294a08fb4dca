/* place.h - names of report files: %p is the process, %e the program, %t the time. */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H

#include "base/line.h"

// Appends the program's name; what would end a path or a JSON string becomes '_'.
void place_add_program(struct line *line);
// Makes the file of this process; without %p in the pattern, ".PID" is appended to it, and ".2" and
// so on where that name is taken. Negative after one line on talk_fd when it cannot be made.
int place_create(const char *pattern, struct line *name, int talk_fd);
#define PLACE_NAMES_MAX 999 // tried
// Makes of the first `plain` bytes the name with this number, from 1.
void place_number(struct line *name, size_t plain, unsigned number);
// "myalloc: WHAT NAME: the reason", on fd.
void place_complain(const char *what, const struct line *name, int error, int fd);

#endif
