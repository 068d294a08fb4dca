/* os_file.h - files, for reports and for blocks that lie in files.
 *
 * Nothing here changes errno. Descriptors are closed by exec; negative or 0 tells of failure.
 */
#ifndef BASE_OS_FILE_H
#define BASE_OS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *os_map_file(int fd, size_t offset, size_t bytes); // shared: the kernel keeps what is stored
int os_keep_descriptor(int fd);                         // a copy, out of everybody's way
uint64_t os_file_id(int fd);                            // tells files from each other
void os_close(int fd);
int os_open_unnamed(const char *directory); // a file that nobody else can open; negative: the errno
// Maps a part of a file in place of what is at `start`; private: without a reserve of memory.
bool os_map_file_at(void *start, size_t bytes, int fd, size_t offset, bool is_shared);
int os_open_file(const char *path, bool writes); // makes it when it writes; negative: the errno
size_t os_file_bytes(int fd);                    // 0 also when it cannot be told
// Shared, or private to read; `offset` in whole pages; -errno.
long os_map_part(int fd, size_t offset, size_t bytes, bool writes);
int os_sync(void *start, size_t bytes);    // the errno, 0 for done
bool os_remove(void *start, size_t bytes); // frees the disk behind a shared mapping of a file
void os_unlink(const char *path);

#endif
