/* live_page.c - find, copy and check live pages.
 *
 * Owns:       nothing; a page is copied whole by pread, so the writer may go on or shrink the file.
 * Threads:    one; the writer is another process.
 * Invariants: LIVE-1  a page is another program's data: nothing in it is used before it was
 *                     checked.
 *             LIVE-2  what cannot be right in one field (an event torn, a region without end)
 *                     drops that field; what cannot be right in the header drops the page.
 *             LIVE-3  a page older than its process belongs to an earlier one of the same id.
 *             LIVE-4  the kernel copies in any order, so one copy of an entry may mix old and new;
 *                     a second copy, begun after the first has ended, differs if it does.
 *             LIVE-5  of pages that claim the same process, the one that it has mapped is its own.
 */
#include "cli/procfs/live_page.h"

#include "cli/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_ATTEMPTS 4  // a writer halves its cells once per doubling of the heap
#define SHIFT_MAX     32 // 64 Ki cells << 32 exceed the address space
#define ABSENT_MAX    2  // names in a row: behind them nobody is looked for

static bool is_read(int fd, void *buffer, size_t count, size_t at)
{
    char *const bytes = buffer;
    size_t done = 0;
    while (done < count) {
        const ssize_t got = pread(fd, bytes + done, count - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

static bool is_alike(const struct myalloc_live_event *a, const struct myalloc_live_event *b)
{
    return a->done == b->done && a->time_ns == b->time_ns && a->address == b->address &&
           a->bytes == b->bytes && a->kind == b->kind && a->thread_id == b->thread_id &&
           a->begun == b->begun;
}

/* LIVE-4: read the ring again, and drop what is not the same. */
static bool drop_torn_events(int fd, struct myalloc_live *page)
{
    const size_t bytes = sizeof(page->events);
    struct myalloc_live_event *const again = tool_allocate(bytes);
    const bool is_there = is_read(fd, again, bytes, offsetof(struct myalloc_live, events));
    for (size_t i = 0; is_there && i < MYALLOC_LIVE_EVENTS_MAX; i++) {
        if (!is_alike(&again[i], &page->events[i])) {
            page->events[i].done = 0;
        }
    }
    free(again);
    return is_there;
}

static bool is_copied(int fd, struct myalloc_live *page)
{
    return is_read(fd, page, sizeof(*page), 0) && drop_torn_events(fd, page);
}

static const char *header_fault(const struct myalloc_live *page)
{
    const struct myalloc_live_header *const header = &page->header;
    if (header->magic == 0) {
        return "the live page is not filled yet";
    }
    if (header->magic != MYALLOC_LIVE_MAGIC) {
        return "the file is no live page: its magic number is wrong";
    }
    if (header->version != MYALLOC_LIVE_VERSION) {
        return "the live page has another version than this command";
    }
    const bool has_layout =
        header->header_bytes == sizeof(*header) && header->page_bytes == sizeof(*page);
    const uint32_t chunk = header->chunk_bytes;
    const bool has_chunk = chunk >= 4096 && chunk <= 1u << 24 && (chunk & (chunk - 1)) == 0;
    const bool has_state =
        header->state == MYALLOC_LIVE_RUNNING || header->state == MYALLOC_LIVE_ENDED;
    if (!has_layout || !has_chunk || !has_state || header->class_count > MYALLOC_LIVE_CLASSES_MAX) {
        return "the header of the live page is damaged";
    }
    return NULL;
}

static void bound_name(char *name)
{
    name[MYALLOC_LIVE_NAME_BYTES - 1] = 0;
    text_make_printable(name);
}

/* LIVE-2: put every field that the commands use as a length or an index into its bounds. */
static void bound_fields(struct myalloc_live *page)
{
    bound_name(page->header.exe);
    bound_name(page->header.library);
    uint32_t classes = 0;
    while (classes < page->header.class_count && page->classes[classes].block_bytes != 0) {
        classes++;
    }
    page->header.class_count = classes;
    for (size_t i = 0; i < MYALLOC_LIVE_REGIONS_MAX; i++) {
        struct myalloc_live_region *const region = &page->regions[i];
        const bool is_sound = region->kind <= MYALLOC_LIVE_REGION_BACKED && region->bytes != 0 &&
                              region->base <= UINT64_MAX - region->bytes;
        region->kind = is_sound ? region->kind : MYALLOC_LIVE_REGION_UNUSED;
    }
    struct myalloc_live_chunks *const chunks = &page->chunks;
    const uint64_t shift = chunks->shift <= SHIFT_MAX ? chunks->shift : SHIFT_MAX;
    const uint64_t count_max = (uint64_t)MYALLOC_LIVE_CHUNKS_MAX << shift;
    chunks->shift = shift;
    chunks->count = chunks->count <= count_max ? chunks->count : count_max;
    const uint64_t bytes_max = UINT64_MAX - chunks->base;
    if (chunks->count > bytes_max / page->header.chunk_bytes) {
        chunks->count = 0;
    }
}

struct myalloc_live *live_page_read(int fd, const char **why)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        *why = "the live page is not a regular file";
        return NULL;
    }
    struct myalloc_live *const page = tool_allocate(sizeof(*page));
    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        if (!is_copied(fd, page)) {
            *why = status.st_size == 0 ? "the library wrote no live page"
                                       : "the live page is truncated";
            free(page);
            return NULL;
        }
        if (page->chunks.sequence % 2 == 0) {
            break;
        }
    }
    *why = header_fault(page);
    if (*why != NULL) {
        free(page);
        return NULL;
    }
    bound_fields(page);
    return page;
}

bool live_page_is_held(int fd)
{
    const bool is_free = flock(fd, LOCK_SH | LOCK_NB) == 0;
    if (is_free) {
        flock(fd, LOCK_UN);
    }
    return !is_free;
}

void live_page_directory(struct text *path, uid_t uid, unsigned place)
{
    const char *const runtime = getenv("XDG_RUNTIME_DIR");
    text_clear(path);
    if (place == 0 && runtime != NULL && runtime[0] == '/' && uid == geteuid()) {
        text_printf(path, "%s/myalloc", runtime);
    } else if (place == 1) {
        text_printf(path, "/run/user/%u/myalloc", (unsigned)uid);
    } else {
        text_printf(path, "/dev/shm/myalloc.%u", (unsigned)uid);
    }
}

static int open_page(const char *path, const struct process *process)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = open(path, flags);
    struct stat status;
    if (fd >= 0 && (fstat(fd, &status) != 0 || status.st_uid != process->uid)) {
        close(fd); // LIVE-1: somebody else's file tells nothing about this process
        fd = -1;
        errno = EACCES;
    }
    return fd;
}

static struct myalloc_live *read_own(int fd, const struct process *process, const char **why)
{
    struct myalloc_live *const page = live_page_read(fd, why);
    const uint64_t tolerance_ns = 20000000; // start times come in ticks of 10 ms
    if (page != NULL && (page->header.pid != (uint32_t)process->pid ||
                         page->header.started_ns + tolerance_ns < process->started_ns)) { // LIVE-3
        free(page);
        *why = "the live page is left from an earlier process of the same id";
        return NULL;
    }
    return page;
}

/* LIVE-5 */
static bool has_mapped(const struct process *process, int fd)
{
    struct mappings mappings = {0};
    struct stat status;
    bool found = false;
    if (fstat(fd, &status) == 0 && procfs_mappings(process->pid, &mappings) == 0) {
        for (size_t i = 0; i < mappings.count && !found; i++) {
            found = mappings.array[i].inode == status.st_ino;
        }
    }
    procfs_mappings_free(&mappings);
    return found;
}

struct search {
    const struct process *process; // [const]
    struct myalloc_live *page;     // [owner] the best so far
    unsigned absent;               // [owner] names in a row that are not there
    bool is_sure;                  // [owner] LIVE-5 was seen to hold
};

/* One name.  A second page of our number is looked at closely: it may be another container's. */
static void search_at(struct search *search, const struct text *at, struct text *path,
                      const char **why)
{
    const int fd = open_page(text_string(at), search->process);
    if (fd < 0) {
        search->absent += errno == ENOENT;
        if (errno != ENOENT && search->page == NULL) {
            *why = "its live page belongs to another user";
        }
        return;
    }
    const char *fault = NULL;
    struct myalloc_live *const page = read_own(fd, search->process, &fault);
    search->absent = 0;
    if (page != NULL && (search->page == NULL || has_mapped(search->process, fd))) {
        search->is_sure = search->page != NULL;
        free(search->page);
        search->page = page;
        text_clear(path);
        text_put(path, text_string(at));
    } else {
        free(page);
        *why = search->page == NULL ? fault : *why;
    }
    close(fd);
}

struct myalloc_live *live_page_find(const struct process *process, struct text *path,
                                    const char **why)
{
    struct search search = {.process = process};
    struct text at = {0};
    *why = "it has no live page (start it with `myalloc run` or MYALLOC_CONF=live:1)";
    for (unsigned place = 0; place < LIVE_PAGE_PLACES && search.page == NULL; place++) {
        search.absent = 0;
        for (unsigned number = 1;
             number <= LIVE_PAGE_NAMES && search.absent < ABSENT_MAX && !search.is_sure; number++) {
            live_page_directory(&at, process->uid, place);
            text_printf(&at, "/%d", (int)process->pid);
            if (number > 1) {
                text_printf(&at, ".%u", number);
            }
            search_at(&search, &at, path, why);
        }
    }
    text_free(&at);
    return search.page;
}

struct myalloc_live *live_page_of(const struct process *process, const char **why)
{
    struct text path = {0};
    struct myalloc_live *const page = live_page_find(process, &path, why);
    text_free(&path);
    return page;
}

size_t live_page_events(const struct myalloc_live *page, uint64_t after, struct live_event *events)
{
    const uint64_t last = page->event_count;
    const uint64_t oldest = last > MYALLOC_LIVE_EVENTS_MAX ? last - MYALLOC_LIVE_EVENTS_MAX : 0;
    size_t count = 0;
    for (uint64_t number = (after > oldest ? after : oldest) + 1;
         number <= last && last != UINT64_MAX; number++) {
        const struct myalloc_live_event *const e =
            &page->events[(number - 1) % MYALLOC_LIVE_EVENTS_MAX];
        const bool is_whole = e->done == number && e->begun == number;
        if (!is_whole || e->kind < MYALLOC_LIVE_EVENT_BRK_GROW ||
            e->kind > MYALLOC_LIVE_EVENT_TRIM) {
            continue;
        }
        events[count++] = (struct live_event){
            .time_ns = e->time_ns,
            .number = number,
            .address = e->address,
            .bytes = e->bytes,
            .kind = e->kind,
            .thread_id = e->thread_id,
        };
    }
    return count;
}

const char *live_page_event_name(uint32_t kind)
{
    static const char *const names[] = {
        [MYALLOC_LIVE_EVENT_BRK_GROW] = "brk grow", [MYALLOC_LIVE_EVENT_BRK_SHRINK] = "brk shrink",
        [MYALLOC_LIVE_EVENT_MMAP] = "mmap",         [MYALLOC_LIVE_EVENT_MUNMAP] = "munmap",
        [MYALLOC_LIVE_EVENT_PURGE] = "purge",       [MYALLOC_LIVE_EVENT_TRIM] = "trim",
    };
    return kind >= MYALLOC_LIVE_EVENT_BRK_GROW && kind <= MYALLOC_LIVE_EVENT_TRIM ? names[kind]
                                                                                  : "?";
}

uint64_t live_page_footprint(const struct myalloc_live *page)
{
    return page->counters.brk_bytes + page->counters.mmap_bytes;
}
