/* look_tables.h - finds the tables by which a library tells where its counts are. */
#ifndef CLI_PROCFS_LOOK_TABLES_H
#define CLI_PROCFS_LOOK_TABLES_H

#include "myalloc_live.h"

#include <stdbool.h>
#include <sys/types.h>

/* Read MYALLOC_TABLES tables from the memory of a process, by its live page, which may be NULL, or
 * the note of its library. False: it has none, or not those that are known here. */
bool look_tables_read(int fd, pid_t pid, const struct myalloc_live *page,
                      struct myalloc_table *tables);

#endif
