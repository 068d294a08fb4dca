/* place.h - names of report files: %p is the PID, %e the program, %t the time. */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H

#include "base/line.h"

// Appends the program's name; bytes unsafe in a path or a JSON string become '_'.
void place_add_program(struct line *line);
// Creates the file of this process. Without %p in the pattern, ".PID" is appended, and ".2" and so
// on if the name is taken. Negative after one line on talk_fd: it cannot be created.
int place_create(const char *pattern, struct line *name, int talk_fd);
#define PLACE_NAMES_MAX 999 // names tried
// Numbers the name in the first `plain` bytes: from 2 on, appends "." and the number.
void place_number(struct line *name, size_t plain, unsigned number);
// Writes "myalloc: WHAT NAME: the reason" to fd.
void place_complain(const char *what, const struct line *name, int error, int fd);

#endif
