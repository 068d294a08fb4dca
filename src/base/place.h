/* place.h - names of report files: %p is the process, %e the program, %t the time. */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H

#include "base/line.h"

// Appends the program's name; what would end a path or a JSON string becomes '_'.
void place_add_program(struct line *line);
// Makes the file of this process, empty; without %p in the pattern, ".PID" is appended to it. -1
// after one line on talk_fd when it cannot be made.
int place_create(const char *pattern, int talk_fd);

#endif
