/* files.h - files mapped for the program, at a fork; the functions are in include/myalloc.h. */
#ifndef FRONT_FILES_H
#define FRONT_FILES_H

void files_prefork(void);
void files_postfork_parent(void);
void files_postfork_child(void);

#endif
