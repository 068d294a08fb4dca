/* files.c - myalloc_map_file and its kin: files mapped for the program.
 *
 * Owns:       the list of these mappings, and the descriptors of those that may grow.
 * Threads:    any.
 * Locks:      LOCK_FILES, also around the system calls: a mapping that moves is found or is not.
 * Invariants: FILES-1  a descriptor is used only while it means the file that was opened: programs
 *             close descriptors that they do not know.
 */
#include "front/files.h"

#include "base/check.h"
#include "base/compiler.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/meta_alloc.h"
#include "myalloc.h"
#include "front/start.h"
#include "core/thread.h"

#include <errno.h>

struct file_map {
    struct file_map *next;
    void *start; // NULL: unused
    size_t bytes;
    int fd; // 0: read only
    uint64_t file_id;
};

static struct {
    struct lock lock;
    struct file_map *first; // [lock: LOCK_FILES] all that were ever made
} g_files = {.lock = LOCK_INIT(LOCK_FILES)};

// A handler that allocates meanwhile must not meet the locks below.
static bool enter(const void *caller) UNCHECKED_LOCKS
{
    bool is_inside = start_once() == START_SERVING && thread_enter(caller);
    lock_acquire(&g_files.lock);
    return is_inside;
}

static void leave(bool is_inside, int error) UNCHECKED_LOCKS
{
    ASSERT(error >= 0);
    lock_release(&g_files.lock);
    if (is_inside) {
        thread_leave();
    }
    if (error != 0) {
        errno = error;
    }
}

static struct file_map *find_locked(const void *start)
{
    struct file_map *map = g_files.first;
    while (map != NULL && map->start != start) {
        map = map->next;
    }
    return map;
}

static struct file_map *take_locked(void)
{
    struct file_map *map = find_locked(NULL);
    if (map == NULL) {
        map = meta_alloc(sizeof *map);
        if (map != NULL) {
            map->next = g_files.first;
            g_files.first = map;
        }
    }
    ASSERT(map == NULL || map->start == NULL);
    return map;
}

// Makes the file `bytes` long; the errno, 0 for done.
static int extend(int fd, size_t old_bytes, size_t bytes)
{
    ASSERT(bytes > old_bytes);
    return os_report_extend(fd, old_bytes, bytes - old_bytes);
}

// Maps the open file whole; the errno, 0 for done.
static int map_locked(struct file_map *map, int fd, size_t least_bytes, bool writes)
{
    ASSERT(map->start == NULL);
    ASSERT(fd >= 0);
    size_t bytes = os_file_bytes(fd);
    if (writes && bytes < least_bytes) {
        int error = extend(fd, bytes, least_bytes);
        if (error != 0) {
            return error;
        }
        bytes = least_bytes;
    }
    if (bytes == 0) {
        return ENODATA;
    }
    long start = os_map_whole_file(fd, bytes, writes);
    if (start < 0) {
        return (int)-start;
    }
    map->start = (void *)start; // NOLINT: the kernel's address
    map->bytes = bytes;
    map->fd = writes ? os_keep_descriptor(fd) : 0;
    map->file_id = os_file_id(map->fd);
    ASSERT(find_locked(map->start) == map);
    return 0;
}

EXPORT void *myalloc_map_file(const char *path, size_t *bytes, unsigned flags)
{
    int error = EINVAL;
    void *start = NULL;
    bool is_inside = enter(CALLER());
    if (bytes != NULL && (flags & ~MYALLOC_MAP_WRITE) == 0) {
        bool writes = flags != 0;
        struct file_map *map = take_locked();
        int fd = map != NULL ? os_open_file(path, writes) : -ENOMEM;
        error = fd < 0 ? -fd : map_locked(map, fd, *bytes, writes);
        if (error == 0) {
            start = map->start;
            *bytes = map->bytes;
        }
        if (fd >= 0) {
            os_close(fd);
        }
    }
    leave(is_inside, error);
    return start;
}

EXPORT int myalloc_map_sync(void *start)
{
    bool is_inside = enter(CALLER());
    const struct file_map *map = start != NULL ? find_locked(start) : NULL;
    int error = map != NULL ? os_sync(start, map->bytes) : EINVAL;
    leave(is_inside, error);
    return error == 0 ? 0 : -1;
}

static int grow_locked(struct file_map *map, size_t bytes)
{
    ASSERT(map->fd > 0);
    ASSERT(bytes >= map->bytes);
    if (os_file_id(map->fd) != map->file_id) { // FILES-1
        return EBADF;
    }
    size_t file_bytes = os_file_bytes(map->fd);
    int error = file_bytes < bytes ? extend(map->fd, file_bytes, bytes) : 0;
    void *moved = error == 0 ? os_remap(map->start, map->bytes, bytes) : NULL;
    if (moved == NULL) {
        return error != 0 ? error : ENOMEM;
    }
    ASSERT(find_locked(moved) == NULL || moved == map->start); // no other mapping was there
    map->start = moved;
    map->bytes = bytes;
    return 0;
}

EXPORT void *myalloc_map_grow(void *start, size_t bytes)
{
    bool is_inside = enter(CALLER());
    struct file_map *map = start != NULL ? find_locked(start) : NULL;
    int error = EINVAL;
    if (map != NULL && map->fd > 0 && bytes >= map->bytes) {
        error = grow_locked(map, bytes);
    }
    void *moved = error == 0 ? map->start : NULL;
    leave(is_inside, error);
    return moved;
}

EXPORT int myalloc_unmap_file(void *start)
{
    bool is_inside = enter(CALLER());
    struct file_map *map = start != NULL ? find_locked(start) : NULL;
    if (map != NULL) {
        ASSERT(map->bytes != 0);
        os_unmap(start, map->bytes);
        if (map->fd > 0 && os_file_id(map->fd) == map->file_id) { // FILES-1
            os_close(map->fd);
        }
        map->start = NULL;
    }
    leave(is_inside, map != NULL ? 0 : EINVAL);
    return map != NULL ? 0 : -1;
}

void files_each_lock(lock_visitor *visit)
{
    visit(&g_files.lock);
}
