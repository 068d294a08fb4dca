/* live.c - creates the live page, and writes its events, regions and their counters.
 *
 * Owns:       the file and its mapping; the header, events, regions and exact counters in it.
 * Threads:    any.
 * Locks:      LOCK_LIVE, a leaf, for the table of regions.
 * Invariants: LIVE-1  if a step fails, the process has no page, and one line reports it.
 *             LIVE-2  a child writes to a page of its own or to none.
 *
 * The counts of blocks are not written here: view.c, which knows heaps, stores them now and then.
 */
#include "base/check.h"
#include "base/live.h"

#include "base/bits.h"
#include "base/config.h"
#include "base/line.h"
#include "base/lock.h"
#include "base/options.h"
#include "base/os.h"
#include "base/place.h"
#include "myalloc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX 99 // names tried, as in the command

struct myalloc_live *g_live_page;

static struct {
    struct lock lock;
    _Atomic(bool) is_news;
    _Atomic(uint64_t) others; // large and huge allocations
    char path[256];
} g_live = {.lock = LOCK_INIT(LOCK_LIVE)};

// What an event of each kind counts: the index of a counter, in words; 0 none.
#define WORD_OF(field)   (offsetof(struct myalloc_live_counters, field) / sizeof(uint64_t))
#define COUNTER(c, word) ((_Atomic uint64_t *)(c) + (word))

static const struct {
    uint8_t times, bytes, level;
    int8_t sign; // of the level
} g_kinds[] = {
    [MYALLOC_LIVE_EVENT_BRK_GROW] = {WORD_OF(brk_grows), 0, WORD_OF(brk_bytes), 1},
    [MYALLOC_LIVE_EVENT_BRK_SHRINK] = {WORD_OF(brk_shrinks), WORD_OF(trimmed_bytes),
                                       WORD_OF(brk_bytes), -1},
    [MYALLOC_LIVE_EVENT_MMAP] = {WORD_OF(mmaps), 0, WORD_OF(mmap_bytes), 1},
    [MYALLOC_LIVE_EVENT_MUNMAP] = {WORD_OF(munmaps), 0, WORD_OF(mmap_bytes), -1},
    [MYALLOC_LIVE_EVENT_PURGE] = {WORD_OF(purges), WORD_OF(purged_bytes), 0, 0},
    [MYALLOC_LIVE_EVENT_TRIM] = {WORD_OF(brk_shrinks), WORD_OF(trimmed_bytes), WORD_OF(brk_bytes),
                                 -1},
};

static void add(_Atomic uint64_t *word, uint64_t more)
{
    ASSERT(word != NULL);
    atomic_fetch_add_explicit(word, more, memory_order_relaxed);
}

// ---- the file ----

// Opens the directory of our user's pages, and sets *path to its name. Negative: not available.
static int open_directory(const char *parent, const char *name, struct line *path)
{
    ASSERT(name[0] == '/');
    path->used = 0;
    if (parent == NULL || parent[0] != '/') {
        return -ENOENT;
    }
    line_add(path, parent);
    line_add(path, name);
    if (name[strlen(name) - 1] == '.') {
        line_add_number(path, os_user_id());
    }
    path->text[path->used] = '\0';
    return os_report_directory(path->text);
}

int live_open_place(struct line *path, size_t *name)
{
    int directory = open_directory(os_env("XDG_RUNTIME_DIR"), "/myalloc", path);
    if (directory < 0) {
        directory = open_directory("/dev/shm", "/myalloc.", path);
    }
    line_add(path, "/");
    *name = path->used;
    if (live_is_on()) {
        line_add(path, strrchr(g_live.path, '/') + 1);
    } else {
        line_add_number(path, os_process_id());
    }
    return directory;
}

// Opens the page of this process: PID, or PID.2 and so on if a process in another container has our
// PID. *path: its full name. Negative: the errno.
static int open_page(struct line *path)
{
    ASSERT(!live_is_on());
    size_t name;
    int directory = live_open_place(path, &name);
    if (directory < 0) {
        return directory;
    }
    size_t plain = path->used;
    int fd = -EEXIST;
    for (unsigned number = 1; number <= NAMES_MAX && fd == -EEXIST; number++) {
        place_number(path, plain, number);
        fd = os_report_hold(directory, path->text + name);
    }
    os_close(directory);
    return fd;
}

static void fill_header(struct myalloc_live *page)
{
    ASSERT(page->header.version == 0);
    struct myalloc_live_header *header = &page->header;
    header->version = MYALLOC_LIVE_VERSION;
    header->header_bytes = sizeof *header;
    header->page_bytes = sizeof *page;
    header->pid = os_process_id();
    header->chunk_bytes = CHUNK_BYTES;
    header->started_ns = os_boot_ns();
    strncpy(header->exe, os_program_name(), sizeof header->exe - 1);
    strncpy(header->library, MYALLOC_VERSION, sizeof header->library - 1);
    header->family = g_options.live > 1 ? (uint32_t)g_options.live : 0;
    live_store(&header->state, MYALLOC_LIVE_RUNNING);
}

// LIVE-1; the mapping keeps the file held: see os_report_hold.
static struct myalloc_live *map_page(struct line *path, int *error)
{
    struct myalloc_live *page = NULL;
    int fd = open_page(path);
    if (fd < 0) {
        *error = -fd;
        return NULL;
    }
    *error = path->used < sizeof g_live.path ? os_report_extend(fd, 0, sizeof *page) : ENAMETOOLONG;
    if (*error == 0) {
        page = os_map_file(fd, 0, sizeof *page);
        *error = ENOMEM;
    }
    if (page == NULL) {
        os_unlink(path->text);
    }
    os_close(fd);
    return page;
}

bool live_open(void)
{
    ASSERT(g_live_page == NULL);
    struct line path;
    int error;
    struct myalloc_live *page = map_page(&path, &error);
    if (page == NULL) {
        place_complain("no live page in ", &path, error, STDERR_FILENO);
        return false;
    }
    memcpy(g_live.path, path.text, path.used + 1);
    fill_header(page);
    g_live_page = page;
    return true;
}

void live_publish(void)
{
    ASSERT(live_is_on());
    ASSERT(g_live_page->header.version == MYALLOC_LIVE_VERSION);
    // release: readers that see the magic see the header
    atomic_store_explicit(&g_live_page->header.magic, MYALLOC_LIVE_MAGIC, memory_order_release);
}

void live_close(void)
{
    ASSERT(live_is_on());
    ASSERT(g_live.path[0] == '/');
    live_store(&g_live_page->header.ended_ns, os_boot_ns());
    live_store(&g_live_page->header.state, MYALLOC_LIVE_ENDED);
    if (g_live_page->header.family == 0) {
        os_unlink(g_live.path);
    }
}

void live_leave(void)
{
    lock_init(&g_live.lock, LOCK_LIVE);
    if (g_live_page != NULL) {
        os_unmap(g_live_page, sizeof *g_live_page); // LIVE-2
        g_live_page = NULL;
    }
}

// ---- events ----

static void change_level(struct myalloc_live_counters *c, unsigned level, uint64_t bytes)
{
    ASSERT(level != 0);
    ASSERT(level < sizeof *c / sizeof(uint64_t));
    add(COUNTER(c, level), bytes);
    uint64_t brk_bytes = live_load(&c->brk_bytes);
    uint64_t mmap_bytes = live_load(&c->mmap_bytes);
    live_raise(&c->brk_peak_bytes, brk_bytes);
    live_raise(&c->mmap_peak_bytes, mmap_bytes);
    live_raise(&c->footprint_peak_bytes, brk_bytes + mmap_bytes);
}

void live_event_on(enum myalloc_live_event_kind kind, const void *start, size_t bytes)
{
    ASSERT(live_is_on());
    ASSERT((size_t)kind < sizeof g_kinds / sizeof g_kinds[0]);
    ASSERT(g_kinds[kind].times != 0);
    struct myalloc_live *page = g_live_page;
    uint64_t n = atomic_fetch_add_explicit(&page->event_count, 1, memory_order_relaxed) + 1;
    struct myalloc_live_event *event = &page->events[(n - 1) % MYALLOC_LIVE_EVENTS_MAX];
    live_store(&event->begun, n);
    atomic_thread_fence(memory_order_release); // the fields are stored after `begun`
    live_store(&event->time_ns, os_boot_ns());
    live_store(&event->address, (uintptr_t)start);
    live_store(&event->bytes, bytes);
    atomic_store_explicit(&event->kind, kind, memory_order_relaxed);
    atomic_store_explicit(&event->thread_id, os_thread_id_of_libc(), memory_order_relaxed);
    // release: a reader that sees `done` sees the fields
    atomic_store_explicit(&event->done, n, memory_order_release);
    struct myalloc_live_counters *c = &page->counters;
    add(COUNTER(c, g_kinds[kind].times), 1);
    if (g_kinds[kind].bytes != 0) {
        add(COUNTER(c, g_kinds[kind].bytes), bytes);
    }
    if (g_kinds[kind].sign != 0) {
        change_level(c, g_kinds[kind].level, g_kinds[kind].sign < 0 ? -bytes : bytes);
    }
    atomic_store_explicit(&g_live.is_news, true, memory_order_relaxed);
}

void live_resize_on(int64_t bytes)
{
    ASSERT(live_is_on());
    change_level(&g_live_page->counters, WORD_OF(mmap_bytes), (uint64_t)bytes);
}

void live_realloc_on(bool in_place)
{
    ASSERT(live_is_on());
    add(&g_live_page->counters.reallocs, 1);
    add(&g_live_page->counters.reallocs_in_place, in_place);
}

void live_count_on(void)
{
    ASSERT(live_is_on());
    add(&g_live.others, 1);
}

uint64_t live_others(void)
{
    return live_load(&g_live.others);
}

bool live_is_news(void)
{
    return atomic_load_explicit(&g_live.is_news, memory_order_relaxed) &&
           atomic_exchange_explicit(&g_live.is_news, false, memory_order_relaxed);
}

// ---- regions ----

static void set_row(struct myalloc_live_region *row, uint64_t base, uint64_t bytes, uint64_t kind)
{
    ASSERT(lock_is_mine(&g_live.lock));
    ASSERT((kind == MYALLOC_LIVE_REGION_UNUSED) == (bytes == 0));
    live_store(&row->kind, MYALLOC_LIVE_REGION_UNUSED);
    atomic_thread_fence(memory_order_release); // readers discard a row that changes
    live_store(&row->base, base);
    live_store(&row->bytes, bytes);
    atomic_store_explicit(&row->kind, kind, memory_order_release);
}

// The row of a range of this kind that ends at `end`; for UNUSED, any such row.
static struct myalloc_live_region *find_row(uint64_t end, uint64_t kind)
{
    ASSERT(lock_is_mine(&g_live.lock));
    for (size_t i = 0; i < MYALLOC_LIVE_REGIONS_MAX; i++) {
        struct myalloc_live_region *row = &g_live_page->regions[i];
        if (live_load(&row->kind) == kind &&
            (kind == MYALLOC_LIVE_REGION_UNUSED ||
             live_load(&row->base) + live_load(&row->bytes) == end)) {
            return row;
        }
    }
    return NULL;
}

static void count_huge(uint64_t kind, uint64_t blocks, uint64_t bytes)
{
    ASSERT(live_is_on());
    struct myalloc_live_counters *c = &g_live_page->counters;
    if (kind == MYALLOC_LIVE_REGION_HUGE) {
        add(&c->huge_blocks, blocks);
        add(&c->huge_bytes, bytes);
        add(&c->live_blocks, blocks);
        add(&c->live_bytes, bytes);
        live_raise(&c->live_peak_bytes, live_load(&c->live_bytes));
    }
}

void live_add_on(enum myalloc_live_region_kind kind, const void *start, size_t bytes)
{
    ASSERT(kind != MYALLOC_LIVE_REGION_UNUSED);
    ASSERT(bytes != 0);
    uint64_t base = (uintptr_t)start;
    bool joins = kind == MYALLOC_LIVE_REGION_BRK || kind == MYALLOC_LIVE_REGION_MMAP ||
                 kind == MYALLOC_LIVE_REGION_TABLE;
    lock_acquire(&g_live.lock);
    struct myalloc_live_region *row = joins ? find_row(base, kind) : NULL;
    if (row != NULL) {
        live_store(&row->bytes, live_load(&row->bytes) + bytes);
    } else {
        row = find_row(0, MYALLOC_LIVE_REGION_UNUSED);
        if (row != NULL) {
            set_row(row, base, bytes, kind);
        } else {
            add(&g_live_page->counters.regions_dropped, 1);
        }
    }
    lock_release(&g_live.lock);
    count_huge(kind, 1, bytes);
}

void live_cut_on(enum myalloc_live_region_kind kind, const void *start, size_t bytes)
{
    ASSERT(kind != MYALLOC_LIVE_REGION_UNUSED);
    ASSERT(bytes != 0);
    uint64_t base = (uintptr_t)start;
    lock_acquire(&g_live.lock);
    struct myalloc_live_region *row = find_row(base + bytes, kind);
    if (row != NULL) {
        uint64_t row_base = live_load(&row->base);
        ASSERT(row_base <= base);
        set_row(row, row_base, base - row_base, row_base == base ? 0 : kind);
    }
    lock_release(&g_live.lock);
    count_huge(kind, (uint64_t)-1, -bytes);
}
