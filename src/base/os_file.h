/* os_file.h - files, for reports and for blocks backed by files.
 *
 * Nothing here changes errno. Descriptors are close-on-exec; a failure is reported as negative, 0,
 * NULL or false.
 */
#ifndef BASE_OS_FILE_H
#define BASE_OS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *os_map_file(int fd, size_t offset, size_t bytes); // shared: stores reach the file
int os_keep_descriptor(int fd);                         // duplicates it to a high number
uint64_t os_file_id(int fd);                            // unique per file; 0: not open
void os_close(int fd);
int os_open_unnamed(const char *directory); // a file that nobody else can open; negative: the errno
// Maps a part of a file over what is at `start`; if private, without reserving memory (NORESERVE).
bool os_map_file_at(void *start, size_t bytes, int fd, size_t offset, bool is_shared);
int os_open_file(const char *path, bool writes); // `writes`: creates it; negative: the errno
size_t os_file_bytes(int fd);                    // 0 also if unknown
// Maps a part of a file: shared if it `writes`, else private and read-only. `offset` in whole
// pages; returns the address, or -errno.
long os_map_part(int fd, size_t offset, size_t bytes, bool writes);
int os_sync(void *start, size_t bytes);    // the errno, 0 on success
bool os_remove(void *start, size_t bytes); // frees the disk space behind a shared mapping
void os_unlink(const char *path);

#endif
