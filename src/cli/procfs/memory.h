/* memory.h - reader of the memory of another process, without stopping it. */
#ifndef CLI_PROCFS_MEMORY_H
#define CLI_PROCFS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A descriptor for the others, or -1: the process is gone, or not ours to look into. */
int memory_open(pid_t pid);

/* Read all `bytes` at `address`; false: not mapped, or gone. */
bool memory_read(int fd, uint64_t address, void *buffer, size_t bytes);

/* A note of the library in memory: at most `bytes` of its description, and where that is; false:
 * the process has no library with one. */
bool memory_find_note(int fd, pid_t pid, uint32_t type, void *buffer, size_t bytes,
                      uint64_t *address);

#endif
