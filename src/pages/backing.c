/* backing.c - one unnamed file, and the ranges of it that hold huge blocks.
 *
 * Owns:       the file, its descriptor, and its ranges in use.
 * Threads:    any.
 * Locks:      LOCK_BACKING, also around system calls: a fork must find mappings and lists alike.
 * Invariants: BACKING-1  every shared mapping of the file is a range on one of the two lists.
 *             BACKING-2  no two processes share one: before a fork each becomes private.
 *
 * Fork: parent and child would both write to a shared mapping. So every range is first mapped again
 * in place as private: from then on nobody maps the file shared, its contents do not change, and
 * both processes copy the pages that they write to. No byte is copied at the fork; but what is
 * written to these blocks afterwards takes RAM. Both start a new file with their next block.
 *
 * Programs close descriptors that they do not know: before each use, the descriptor is checked to
 * still refer to the file. Ranges of a lost file stay mapped, and are copied before a fork.
 */
#include "pages/backing.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/line.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/meta_alloc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct range {
    struct range *next;
    char *start;
    size_t offset; // in the file
    size_t bytes;
};

static struct {
    struct lock lock;
    int fd;              // [lock: LOCK_BACKING] this and the rest; 0: no file
    uint64_t file_id;    // the file that the descriptor must refer to
    struct range *first; // ranges of the file, by offset
    struct range *lost;  // ranges of files whose descriptor is lost
    struct range *unused;
    bool has_stale;  // freeing disk space failed once: new ranges may hold old contents
    bool has_warned; // one line per process
} g_backing = {.lock = LOCK_INIT(LOCK_BACKING)};

static void warn_locked(int error)
{
    ASSERT(error > 0);
    struct line line = {.used = 0};
    if (g_backing.has_warned) {
        return;
    }
    g_backing.has_warned = true;
    line_add(&line, "myalloc: backing:");
    line_add(&line, g_options.backing);
    line_add(&line, ": ");
    os_report_add_reason(&line, error);
    line_add(&line, "; using anonymous memory");
    line_write(&line, STDERR_FILENO);
}

// The descriptor of the file; opens a new file if there is none any more. Negative: the errno.
static int file_locked(void)
{
    if (g_backing.fd != 0 && os_file_id(g_backing.fd) == g_backing.file_id) {
        return g_backing.fd;
    }
    struct range **end = &g_backing.lost;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = g_backing.first;
    g_backing.first = NULL;
    ASSERT(backing_is_on());
    int fd = os_open_unnamed(g_options.backing);
    g_backing.fd = fd > 0 ? fd : 0;
    g_backing.file_id = os_file_id(fd);
    return fd;
}

// The link to the range at `start`; NULL: it is on neither list.
static struct range **find_locked(const void *start)
{
    ASSERT(start != NULL);
    for (int i = 0; i < 2; i++) {
        struct range **link = i == 0 ? &g_backing.first : &g_backing.lost;
        for (; *link != NULL; link = &(*link)->next) {
            if ((*link)->start == start) {
                return link;
            }
        }
    }
    return NULL;
}

static struct range *range_take_locked(void)
{
    struct range *range = g_backing.unused;
    if (range != NULL) {
        g_backing.unused = range->next;
        return range;
    }
    return meta_alloc(sizeof *range);
}

static void recycle_locked(struct range *range)
{
    range->next = g_backing.unused;
    g_backing.unused = range;
}

// Maps the file at `range`, at the first gap that fits, and lists it; the errno, 0 on success.
static int cover_locked(int fd, struct range *range)
{
    ASSERT(fd > 0);
    ASSERT(range->bytes != 0);
    struct range **link = &g_backing.first;
    range->offset = 0;
    while (*link != NULL && (*link)->offset - range->offset < range->bytes) { // the first gap
        range->offset = (*link)->offset + (*link)->bytes;
        link = &(*link)->next;
    }
    int error = os_allocate(fd, range->offset, range->bytes);
    if (error == 0 && !os_map_file_at(range->start, range->bytes, fd, range->offset, true)) {
        error = ENOMEM;
    }
    if (error == 0) {
        range->next = *link;
        *link = range;
        ASSERT(range->next == NULL || range->next->offset >= range->offset + range->bytes);
    }
    return error;
}

bool backing_cover(void *start, size_t bytes, bool *clean)
{
    ASSERT((uintptr_t)start % os_page_bytes() == 0);
    ASSERT(bytes % os_page_bytes() == 0);
    if (lock_in_fork_window()) {
        return false; // BACKING-2: parent and child would share it
    }
    lock_acquire(&g_backing.lock);
    struct range *range = range_take_locked();
    int error = ENOMEM;
    if (range != NULL) {
        int fd = file_locked();
        range->start = start;
        range->bytes = bytes;
        error = fd < 0 ? -fd : cover_locked(fd, range);
        if (error != 0) {
            recycle_locked(range);
        }
    }
    if (error != 0) {
        warn_locked(error);
    }
    *clean = !g_backing.has_stale;
    lock_release(&g_backing.lock);
    return error == 0;
}

// Frees the disk space of the last `bytes` of a range.
static void cut_locked(const struct range *range, size_t bytes)
{
    ASSERT(bytes != 0);
    ASSERT(bytes <= range->bytes);
    if (!os_remove(range->start + range->bytes - bytes, bytes)) {
        g_backing.has_stale = true;
    }
}

void backing_return(void *start, size_t bytes)
{
    lock_acquire(&g_backing.lock);
    struct range **link = find_locked(start);
    if (link != NULL) { // else private since a fork: the other process may still read the file
        struct range *range = *link;
        *link = range->next;
        cut_locked(range, bytes);
        recycle_locked(range);
    }
    lock_release(&g_backing.lock);
}

// True if the file has room for `bytes` more after the range.
static bool extend_locked(const struct range *range, size_t bytes)
{
    ASSERT(bytes != 0);
    size_t end = range->offset + range->bytes;
    int fd = file_locked();
    struct range **link = &g_backing.first; // file_locked() may have moved it to the lost ones
    while (*link != NULL && *link != range) {
        link = &(*link)->next;
    }
    return *link != NULL && (range->next == NULL || range->next->offset - end >= bytes) &&
           os_allocate(fd, end, bytes) == 0;
}

void *backing_resize(void *start, size_t old_bytes, size_t new_bytes)
{
    ASSERT(new_bytes != old_bytes);
    ASSERT(new_bytes % os_page_bytes() == 0);
    char *moved = NULL;
    lock_acquire(&g_backing.lock);
    struct range **link = find_locked(start);
    struct range *range = link != NULL ? *link : NULL;
    bool is_done = new_bytes < old_bytes;
    if (range != NULL && new_bytes > old_bytes) {
        is_done = extend_locked(range, new_bytes - old_bytes);
    } else if (range != NULL) {
        cut_locked(range, old_bytes - new_bytes);
        range->bytes = new_bytes;
    }
    if (is_done) {
        moved = os_remap(start, old_bytes, new_bytes);
    }
    if (range != NULL && moved != NULL) {
        range->start = moved;
        range->bytes = new_bytes;
    }
    lock_release(&g_backing.lock);
    return moved;
}

// ---- fork ----

static void make_private(struct range *range, int fd)
{
    if (fd > 0 && os_map_file_at(range->start, range->bytes, fd, range->offset, false)) {
        return;
    }
    char *copy = os_map(NULL, range->bytes);
    if (copy != NULL) {
        memcpy(copy, range->start, range->bytes);
        os_move(copy, range->start, range->bytes);
        return;
    }
    struct line line = {.used = 0};
    line_add(&line, "myalloc: backing: no memory; a child of fork shares a block");
    line_write(&line, STDERR_FILENO);
}

static void make_all_private(struct range **list, int fd)
{
    while (*list != NULL) {
        struct range *range = *list;
        *list = range->next;
        make_private(range, fd); // BACKING-2
        recycle_locked(range);
    }
}

void backing_each_lock(lock_visitor *visit)
{
    visit(&g_backing.lock);
}

void backing_prefork(void)
{
    if (!lock_is_held_for_fork(&g_backing.lock) || g_backing.fd == 0) {
        return; // a signal handler that interrupted us forks: the lists must not be touched
    }
    bool is_ours = os_file_id(g_backing.fd) == g_backing.file_id;
    make_all_private(&g_backing.first, is_ours ? g_backing.fd : 0);
    make_all_private(&g_backing.lost, 0);
    ASSERT(g_backing.first == NULL); // BACKING-2
    ASSERT(g_backing.lost == NULL);  // BACKING-2
    if (is_ours) {
        os_close(g_backing.fd);
    }
    g_backing.fd = 0;
}
