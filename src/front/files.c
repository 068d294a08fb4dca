/* files.c - myalloc_map_file and related functions: files mapped for the program.
 *
 * Owns:       the list of these mappings, and the descriptors of those that may grow.
 * Threads:    any.
 * Locks:      LOCK_FILES, also across the system calls: nobody sees a mapping while it moves.
 * Invariants: FILES-1  a descriptor is used only while it refers to the file that was opened:
 *             programs close descriptors that they do not know.
 */
#include "front/files.h"

#include "base/bits.h"
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
    char *start;   // what the program got: `offset` of the file; NULL: unused
    size_t lead;   // bytes mapped before it, down to the page boundary
    size_t offset; // in the file
    size_t bytes;  // from start on
    int fd;        // 0: read only
    uint64_t file_id;
};

static struct {
    struct lock lock;
    struct file_map *first; // [lock: LOCK_FILES] all, also the unused ones
} g_files = {.lock = LOCK_INIT(LOCK_FILES)};

// Inside a slow path, so that a handler that allocates meanwhile takes none of the locks below.
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

// Extends the file to `bytes`; returns an errno, or 0 on success.
static int extend(int fd, size_t old_bytes, size_t bytes)
{
    ASSERT(bytes > old_bytes);
    return os_report_extend(fd, old_bytes, bytes - old_bytes);
}

static bool is_beyond_files(size_t offset, size_t bytes)
{
    return offset > PTRDIFF_MAX || bytes > PTRDIFF_MAX - offset;
}

// The part of a file to map. `bytes`: the limit unless is_all; a writer extends the file to have as
// many from `offset` on.
struct part {
    size_t offset;
    size_t bytes;
    bool is_all;
    bool writes;
};

// Maps a part of the open file; returns an errno, or 0 on success.
static int map_locked(struct file_map *map, int fd, struct part part)
{
    ASSERT(map->start == NULL);
    ASSERT(fd >= 0);
    size_t file_bytes = os_file_bytes(fd);
    if (is_beyond_files(part.offset, part.bytes)) {
        return part.writes ? EFBIG : ENODATA;
    }
    size_t end = part.offset + part.bytes;
    ASSERT(end >= part.offset);
    if (part.writes && part.bytes != 0 && file_bytes < end) {
        int error = extend(fd, file_bytes, end);
        if (error != 0) {
            return error;
        }
        file_bytes = end;
    }
    if (file_bytes <= part.offset) {
        return ENODATA;
    }
    size_t bytes = file_bytes - part.offset;
    ASSERT(bytes != 0);
    if (!part.is_all && part.bytes != 0) {
        bytes = min_size(bytes, part.bytes);
    }
    size_t lead = part.offset % os_page_bytes();
    long start = os_map_part(fd, part.offset - lead, bytes + lead, part.writes);
    if (start < 0) {
        return (int)-start;
    }
    map->start = (char *)start + lead; // NOLINT: the kernel's address
    map->lead = lead;
    map->offset = part.offset;
    map->bytes = bytes;
    map->fd = part.writes ? os_keep_descriptor(fd) : 0;
    map->file_id = os_file_id(map->fd);
    ASSERT(find_locked(map->start) == map);
    return 0;
}

static void *map_part(const char *path, struct part part, size_t *bytes, unsigned flags,
                      const void *caller)
{
    int error = EINVAL;
    void *start = NULL;
    bool is_inside = enter(caller);
    if (bytes != NULL && (flags & ~MYALLOC_MAP_WRITE) == 0) {
        part.writes = flags != 0;
        part.bytes = part.is_all && !part.writes ? 0 : *bytes; // else it says nothing yet
        struct file_map *map = take_locked();
        int fd = map != NULL ? os_open_file(path, part.writes) : -ENOMEM;
        error = fd < 0 ? -fd : map_locked(map, fd, part);
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

EXPORT void *myalloc_map_file(const char *path, size_t *bytes, unsigned flags)
{
    return map_part(path, (struct part){.is_all = true}, bytes, flags, CALLER());
}

EXPORT void *myalloc_map_part(const char *path, size_t offset, size_t *bytes, unsigned flags)
{
    return map_part(path, (struct part){.offset = offset}, bytes, flags, CALLER());
}

EXPORT int myalloc_map_sync(void *start)
{
    bool is_inside = enter(CALLER());
    const struct file_map *map = start != NULL ? find_locked(start) : NULL;
    int error = map != NULL ? os_sync(map->start - map->lead, map->lead + map->bytes) : EINVAL;
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
    if (is_beyond_files(map->offset, bytes)) {
        return EFBIG;
    }
    size_t file_bytes = os_file_bytes(map->fd);
    size_t end = map->offset + bytes;
    int error = file_bytes < end ? extend(map->fd, file_bytes, end) : 0;
    char *moved = error == 0
                      ? os_remap(map->start - map->lead, map->lead + map->bytes, map->lead + bytes)
                      : NULL;
    if (moved == NULL) {
        return error != 0 ? error : ENOMEM;
    }
    ASSERT(find_locked(moved + map->lead) == NULL || moved + map->lead == map->start);
    map->start = moved + map->lead;
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
        os_unmap(map->start - map->lead, map->lead + map->bytes);
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
