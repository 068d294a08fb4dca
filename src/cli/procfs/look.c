/* look.c - counts what is in use in another process, as the census of the library does.
 *
 * Owns:       the copies of its tables while it counts.
 * Threads:    one; the process goes on meanwhile, so a count may be off by what it does.
 * Invariants: LOOK-1  all that is read is another program's data: counts and lengths have bounds,
 *                     offsets are those of one structure, addresses only lead into its own memory.
 *             LOOK-2  a look that fails leaves the page as the library wrote it.
 */
#include "cli/procfs/look.h"

#include "cli/procfs/look_tables.h"
#include "cli/procfs/memory.h"
#include "cli/procfs/trim.h"
#include "cli/tool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_AT_ONCE 4096u
#define CHUNKS_MAX      (1ull << 26) // 1 TiB of heap
#define SLOTS_MAX       4096u
#define RECORDS_MAX     4096u
#define RECORD_USED     0x8000u // of a hardened slab, see MYALLOC_HSLAB_RECORDS
#define RECORD_SLACK    0x1fffu
#define SMALL_BYTES_MAX 1024u

struct job {
    int fd;                                      // [const]
    struct myalloc_table tables[MYALLOC_TABLES]; // [const]
    struct myalloc_live *page;                   // [owner]
    struct look *look;                           // [owner]
    struct trim *trim;                           // [owner] NULL: not asked for
    uint16_t list_end;                           // [const] count of an empty list
    uint64_t base, chunks, entries;              // [const] of the page map
    unsigned char *dirty;                        // [owner] its bits
    uint64_t marks, marked_chunks;               // [const]
    uint64_t slack;                              // [owner] bytes of slots behind their blocks
    uint64_t free_bytes;                         // [owner] of free chunks so far
};

// ---- tables ----

static uint64_t address_of(const struct myalloc_table *table)
{
    return (uint64_t)(uintptr_t)table->address;
}

/* A member of a thing that was copied; 0 if it would lie outside. */
static uint64_t member(const struct myalloc_table *table, const unsigned char *thing,
                       unsigned field, unsigned bytes)
{
    uint64_t value = 0;
    if ((unsigned)table->fields[field] + bytes <= table->bytes) { // LOOK-1
        memcpy(&value, thing + table->fields[field], bytes);
    }
    return value;
}

/* A word of 64 bits at a field of the one thing of a table. */
static bool word(const struct job *job, unsigned id, unsigned field, uint64_t *value)
{
    const struct myalloc_table *const table = &job->tables[id];
    return memory_read(job->fd, address_of(table) + table->fields[field], value, sizeof(*value));
}

// ---- lists ----

static bool read_list_end(struct job *job)
{
    return memory_read(job->fd, (uint64_t)(uintptr_t)job->tables[MYALLOC_TABLE_SLOTS].second,
                       &job->list_end, sizeof(job->list_end));
}

static uint64_t list_blocks(const struct job *job, uint64_t list)
{
    return list >> 16 == 0 ? 0 : (uint16_t)((uint16_t)list - job->list_end);
}

static bool read_classes(struct job *job)
{
    const struct myalloc_table *const table = &job->tables[MYALLOC_TABLE_CLASSES];
    unsigned char *const things = tool_allocate((size_t)table->bytes * table->count);
    const bool is_read =
        memory_read(job->fd, address_of(table), things, (size_t)table->bytes * table->count);
    for (uint32_t i = 0; is_read && i < table->count; i++) {
        const unsigned char *const thing = things + (size_t)i * table->bytes;
        struct myalloc_live_class *const size_class = &job->page->classes[i];
        size_class->block_bytes = (uint32_t)member(table, thing, MYALLOC_CLASS_BLOCK_BYTES, 4);
        size_class->tier =
            size_class->block_bytes <= SMALL_BYTES_MAX ? MYALLOC_LIVE_SMALL : MYALLOC_LIVE_MEDIUM;
        size_class->slabs = 0;
        size_class->live_blocks = 0;
        job->look->classes[i].slab_bytes =
            member(table, thing, MYALLOC_CLASS_CHUNKS, 2) * job->page->header.chunk_bytes;
    }
    job->page->header.class_count = table->count;
    free(things);
    return is_read && job->page->classes[0].block_bytes != 0;
}

static bool read_depots(struct job *job)
{
    const struct myalloc_table *const table = &job->tables[MYALLOC_TABLE_DEPOTS];
    unsigned char *const things = tool_allocate((size_t)table->bytes * table->count);
    const bool is_read =
        memory_read(job->fd, address_of(table), things, (size_t)table->bytes * table->count);
    const size_t room = table->fields[MYALLOC_DEPOT_ROOM];
    for (uint32_t i = 0; is_read && i < table->count; i++) {
        const unsigned char *const thing = things + (size_t)i * table->bytes;
        const uint64_t count = member(table, thing, MYALLOC_DEPOT_COUNT, 4);
        job->look->classes[i].in_depots = member(table, thing, MYALLOC_DEPOT_BLOCKS, 8);
        for (uint64_t n = 0, list = 0; job->trim != NULL && n < count && n < room; n++) {
            const uint64_t at = (uint64_t)(uintptr_t)table->second + (i * room + n) * sizeof(list);
            trim_add_list(job->trim, memory_read(job->fd, at, &list, sizeof(list)) ? list : 0);
        }
    }
    free(things);
    return is_read;
}

static uint64_t slot_word(const struct job *job, const unsigned char *slot, unsigned field,
                          uint32_t sc)
{
    const struct myalloc_table *const table = &job->tables[MYALLOC_TABLE_SLOT];
    const size_t at = table->fields[field] + ((size_t)sc + 1) * 8;
    uint64_t value = 0;
    if (at + sizeof(value) <= table->bytes) {
        memcpy(&value, slot + at, sizeof(value));
    }
    return value;
}

/* What a slot gave out, one count a bin; zeros where nothing was counted. */
static void read_handed(const struct job *job, const unsigned char *slot, uint64_t *handed,
                        size_t count)
{
    const struct myalloc_table *const table = &job->tables[MYALLOC_TABLE_SLOT];
    const uint64_t at = member(table, slot, MYALLOC_SLOT_HANDED, 8);
    if (at == 0 || !memory_read(job->fd, at, handed, count * sizeof(*handed))) {
        memset(handed, 0, count * sizeof(*handed));
    }
}

static void count_slot(struct job *job, const unsigned char *slot, size_t row, uint32_t number)
{
    struct myalloc_live_slot shown = {.is_used = 1, .number = number};
    uint64_t handed[MYALLOC_LIVE_CLASSES_MAX + 1];
    read_handed(job, slot, handed, job->page->header.class_count + 1UL);
    for (uint32_t sc = 0; sc < job->page->header.class_count; sc++) {
        const uint64_t loaded = slot_word(job, slot, MYALLOC_SLOT_LOADED, sc);
        const uint64_t spare = slot_word(job, slot, MYALLOC_SLOT_SPARE, sc);
        const uint64_t blocks = list_blocks(job, loaded) + list_blocks(job, spare);
        if (job->trim != NULL) {
            trim_add_list(job->trim, loaded);
            trim_add_list(job->trim, spare);
        }
        job->look->classes[sc].in_slots += blocks;
        job->page->classes[sc].mallocs += handed[sc + 1];
        shown.cached_blocks += blocks;
        shown.cached_bytes += blocks * job->page->classes[sc].block_bytes;
        shown.mallocs += handed[sc + 1];
    }
    if (row < MYALLOC_LIVE_SLOTS_MAX) {
        job->page->slots[row] = shown;
    }
}

static bool read_slots(struct job *job)
{
    const struct myalloc_table *const table = &job->tables[MYALLOC_TABLE_SLOT];
    uint64_t first = 0;
    uint64_t opened = 0;
    uint64_t owned = 0;
    bool is_read = word(job, MYALLOC_TABLE_SLOTS, MYALLOC_SLOTS_FIRST, &first) &&
                   word(job, MYALLOC_TABLE_SLOTS, MYALLOC_SLOTS_OPENED, &opened) &&
                   word(job, MYALLOC_TABLE_SLOTS, MYALLOC_SLOTS_OWNED, &owned);
    unsigned char *const slot = tool_allocate(table->bytes);
    size_t rows = 0;
    memset(job->page->slots, 0, sizeof(job->page->slots));
    for (uint32_t i = 0; is_read && i < opened && i < SLOTS_MAX; i++) {
        is_read = memory_read(job->fd, first + (uint64_t)i * table->bytes, slot, table->bytes);
        if (is_read && member(table, slot, MYALLOC_SLOT_IS_OPEN, 1) != 0) {
            count_slot(job, slot, rows++, i);
        }
    }
    for (uint32_t i = 0; is_read && owned != 0 && i < SLOTS_MAX; i++) {
        is_read = memory_read(job->fd, owned, slot, table->bytes);
        count_slot(job, slot, rows++, i);
        owned = member(table, slot, MYALLOC_SLOT_NEXT, 8);
    }
    job->page->counters.slots_dropped =
        rows > MYALLOC_LIVE_SLOTS_MAX ? rows - MYALLOC_LIVE_SLOTS_MAX : 0;
    free(slot);
    return is_read;
}

// ---- the page map ----

static bool is_dirty(const struct job *job, uint64_t chunk)
{
    return (job->dirty[chunk / 8] >> (chunk % 8) & 1) != 0;
}

static bool read_map(struct job *job)
{
    uint64_t dirty = 0;
    if (!word(job, MYALLOC_TABLE_MAP, MYALLOC_MAP_BASE, &job->base) ||
        !word(job, MYALLOC_TABLE_MAP, MYALLOC_MAP_CHUNKS, &job->chunks) ||
        !word(job, MYALLOC_TABLE_MAP, MYALLOC_MAP_ENTRIES, &job->entries) ||
        !word(job, MYALLOC_TABLE_MAP, MYALLOC_MAP_DIRTY, &dirty) || job->chunks > CHUNKS_MAX ||
        !word(job, MYALLOC_TABLE_MARKS, MYALLOC_MARKS_TABLE, &job->marks) ||
        !word(job, MYALLOC_TABLE_MARKS, MYALLOC_MARKS_CHUNKS, &job->marked_chunks)) {
        return false;
    }
    const size_t bytes = (job->chunks + 63) / 64 * 8;
    job->dirty = tool_allocate(bytes + 1);
    return bytes == 0 || memory_read(job->fd, dirty, job->dirty, bytes);
}

static uint64_t marked_blocks(const struct job *job, uint64_t chunk)
{
    const struct myalloc_table *const table = &job->tables[MYALLOC_TABLE_MARKS];
    uint32_t count = 0;
    if (job->marks == 0 || chunk >= job->marked_chunks ||
        !memory_read(job->fd,
                     job->marks + chunk * table->bytes + table->fields[MYALLOC_MARKS_COUNT], &count,
                     sizeof(count))) {
        return 0;
    }
    return count;
}

static uint64_t entry_member(const struct job *job, const unsigned char *entry, unsigned field,
                             unsigned bytes)
{
    return member(&job->tables[MYALLOC_TABLE_MAP], entry, field, bytes);
}

static unsigned fill_of(uint64_t blocks, uint64_t capacity)
{
    const uint64_t fill = (blocks * 16 + capacity - 1) / (capacity != 0 ? capacity : 1);
    return (unsigned)(fill < 1 ? 1 : fill > 15 ? 15 : fill) << 4;
}

/* Returns what the picture shows of it. */
static unsigned count_slab(struct job *job, const unsigned char *entry, uint64_t chunk)
{
    const uint64_t sc = entry_member(job, entry, MYALLOC_CHUNK_CLASS, 1);
    if (sc >= job->page->header.class_count) {
        return MYALLOC_LIVE_CHUNK_LARGE;
    }
    struct look_class *const size_class = &job->look->classes[sc];
    const struct myalloc_live_class *const shown = &job->page->classes[sc];
    const uint64_t made = entry_member(job, entry, MYALLOC_CHUNK_CARVED, 2);
    const uint64_t free = list_blocks(job, entry_member(job, entry, MYALLOC_CHUNK_FREE, 8)) +
                          marked_blocks(job, chunk);
    const uint64_t home = free < made ? free : made;
    size_class->made += made;
    size_class->at_home += home;
    job->page->classes[sc].slabs++;
    if (job->trim != NULL) {
        const struct trim_slab slab = {
            .start = job->base + chunk * job->page->header.chunk_bytes,
            .bytes = size_class->slab_bytes,
            .block_bytes = shown->block_bytes,
            .reached = entry_member(job, entry, MYALLOC_CHUNK_REACHED, 4),
            .free = entry_member(job, entry, MYALLOC_CHUNK_FREE, 8),
            .purged = (uint32_t)entry_member(job, entry, MYALLOC_CHUNK_PURGED, 4)};
        trim_add_slab(job->trim, &slab);
    }
    return (shown->tier == MYALLOC_LIVE_SMALL ? MYALLOC_LIVE_CHUNK_SMALL
                                              : MYALLOC_LIVE_CHUNK_MEDIUM) |
           fill_of(made - home, size_class->slab_bytes / shown->block_bytes);
}

/* Hardened mode: the records of its slots tell which hold a block. */
static void count_hslab(struct job *job, const unsigned char *entry, uint64_t chunk)
{
    const struct myalloc_table *const table = &job->tables[MYALLOC_TABLE_HSLAB];
    const uint64_t at = entry_member(job, entry, MYALLOC_CHUNK_FREE, 8);
    unsigned char *const slab = tool_allocate(table->bytes);
    uint16_t records[RECORDS_MAX];
    memset(slab, 0, table->bytes);
    const bool is_read = memory_read(job->fd, at, slab, table->bytes);
    const uint64_t start = member(table, slab, MYALLOC_HSLAB_START, 8);
    const uint64_t sc = member(table, slab, MYALLOC_HSLAB_CLASS, 2);
    const uint64_t opened = member(table, slab, MYALLOC_HSLAB_OPENED, 2);
    const bool is_first = is_read && start == job->base + chunk * job->page->header.chunk_bytes;
    if (is_first && sc < table->count && opened <= RECORDS_MAX &&
        memory_read(job->fd, at + table->fields[MYALLOC_HSLAB_RECORDS], records, opened * 2)) {
        job->page->classes[sc].slabs++;
        for (uint64_t i = member(table, slab, MYALLOC_HSLAB_FIRST, 2); i < opened; i++) {
            const bool is_used = (records[i] & RECORD_USED) != 0;
            job->look->classes[sc].made += is_used ? 1 : 0;
            job->slack += is_used ? records[i] & RECORD_SLACK : 0;
        }
    }
    free(slab);
}

/* A block of a size class, in a span of its own. */
static void count_placed(struct job *job, const unsigned char *entry)
{
    const uint64_t bytes = entry_member(job, entry, MYALLOC_CHUNK_USABLE, 8);
    for (uint32_t i = 0; i < job->page->header.class_count; i++) {
        if (job->page->classes[i].block_bytes == bytes) {
            job->look->classes[i].made++;
        }
    }
}

/* What stands at one chunk; *span: for how many. */
static unsigned count_chunk(struct job *job, const unsigned char *entry, uint64_t chunk,
                            uint64_t *span)
{
    const uint64_t state = entry_member(job, entry, MYALLOC_CHUNK_STATE, 1);
    const uint64_t length = entry_member(job, entry, MYALLOC_CHUNK_LENGTH, 4);
    struct myalloc_live_counters *const c = &job->page->counters;
    *span = state != MYALLOC_CHUNK_NONE && state < MYALLOC_CHUNK_BODY && length != 0 ? length : 1;
    switch (state) {
    case MYALLOC_CHUNK_NONE:
        return MYALLOC_LIVE_CHUNK_FOREIGN;
    case MYALLOC_CHUNK_IS_FREE:
        return MYALLOC_LIVE_CHUNK_CLEAN;
    case MYALLOC_CHUNK_SLAB:
        return count_slab(job, entry, chunk);
    case MYALLOC_CHUNK_HSLAB:
        *span = 1;
        count_hslab(job, entry, chunk);
        break;
    case MYALLOC_CHUNK_PLACED:
        count_placed(job, entry);
        break;
    case MYALLOC_CHUNK_LARGE:
    case MYALLOC_CHUNK_GUARDED:
        c->large_blocks++;
        c->large_bytes += entry_member(job, entry, MYALLOC_CHUNK_USABLE, 8);
        break;
    case MYALLOC_CHUNK_POOL:
        c->large_blocks++;
        c->large_bytes += length * job->page->header.chunk_bytes;
        break;
    default:
        break;
    }
    return MYALLOC_LIVE_CHUNK_LARGE;
}

static void show_chunk(struct job *job, uint64_t chunk, unsigned cell)
{
    const uint64_t bytes = job->page->header.chunk_bytes;
    if (cell == MYALLOC_LIVE_CHUNK_CLEAN && is_dirty(job, chunk)) {
        cell = MYALLOC_LIVE_CHUNK_DIRTY;
        job->page->counters.dirty_free_bytes += bytes;
        job->free_bytes += bytes;
        if (job->trim != NULL) {
            trim_add_free(job->trim, job->base + chunk * bytes, bytes);
        }
    } else if (cell != MYALLOC_LIVE_CHUNK_CLEAN) {
        job->look->pinned_bytes = job->free_bytes;
    }
    const uint64_t place = chunk - 1;
    struct myalloc_live_chunks *const chunks = &job->page->chunks;
    if ((place & ((1ull << chunks->shift) - 1)) == 0) {
        chunks->cells[place >> chunks->shift] = (uint8_t)cell;
    }
}

static bool read_chunks(struct job *job)
{
    const uint32_t bytes = job->tables[MYALLOC_TABLE_MAP].bytes;
    struct myalloc_live_chunks *const chunks = &job->page->chunks;
    chunks->shift = 0;
    while (job->chunks > (uint64_t)MYALLOC_LIVE_CHUNKS_MAX << chunks->shift) {
        chunks->shift++;
    }
    chunks->base = job->base + job->page->header.chunk_bytes;
    chunks->count = job->chunks != 0 ? job->chunks - 1 : 0;
    unsigned char *const entries = tool_allocate((size_t)ENTRIES_AT_ONCE * bytes);
    uint64_t next = 1; // the first entry behind the last span
    unsigned cell = 0;
    bool is_read = true;
    for (uint64_t from = 1; from < job->chunks && is_read; from += ENTRIES_AT_ONCE) {
        const uint64_t left = job->chunks - from;
        const uint64_t count = left < ENTRIES_AT_ONCE ? left : ENTRIES_AT_ONCE;
        is_read = memory_read(job->fd, job->entries + from * bytes, entries, count * bytes);
        for (uint64_t i = 0; i < count && is_read; i++) {
            if (from + i == next) {
                uint64_t span = 1;
                cell = count_chunk(job, entries + i * bytes, from + i, &span);
                next += span;
            }
            show_chunk(job, from + i, cell);
        }
    }
    free(entries);
    return is_read;
}

// ---- sums ----

/* Freed huge blocks of hardened mode that still stand in the registry. */
static void take_quarantined_off(const struct job *job, uint64_t *blocks, uint64_t *bytes)
{
    const struct myalloc_table *const table = &job->tables[MYALLOC_TABLE_QUARANTINE];
    unsigned char *const things = tool_allocate((size_t)table->bytes * table->count);
    uint32_t count = 0;
    if (memory_read(job->fd, (uint64_t)(uintptr_t)table->second, &count, sizeof(count)) &&
        memory_read(job->fd, address_of(table), things, (size_t)table->bytes * table->count)) {
        for (uint32_t i = 0; i < count && i < table->count; i++) {
            const unsigned char *const thing = things + (size_t)i * table->bytes;
            if (member(table, thing, MYALLOC_QUARANTINE_IS_HUGE, 1) != 0 && *blocks != 0) {
                (*blocks)--;
                *bytes -= member(table, thing, MYALLOC_QUARANTINE_BYTES, 8);
            }
        }
    }
    free(things);
}

static bool sum_up(struct job *job)
{
    struct myalloc_live_counters *const c = &job->page->counters;
    uint64_t huge_blocks = 0;
    uint64_t huge_bytes = 0;
    uint64_t break_bytes = 0;
    uint64_t map_bytes = 0;
    if (!word(job, MYALLOC_TABLE_HUGE, MYALLOC_HUGE_BLOCKS, &huge_blocks) ||
        !word(job, MYALLOC_TABLE_HUGE, MYALLOC_HUGE_BYTES, &huge_bytes) ||
        !word(job, MYALLOC_TABLE_HUGE, MYALLOC_HUGE_CACHED, &job->look->kept_mapping) ||
        !word(job, MYALLOC_TABLE_REGION, MYALLOC_REGION_BREAK, &break_bytes) ||
        !word(job, MYALLOC_TABLE_REGION, MYALLOC_REGION_MAPS, &map_bytes)) {
        return false;
    }
    const uint64_t held_bytes = huge_bytes;
    take_quarantined_off(job, &huge_blocks, &huge_bytes);
    job->look->kept_mapping += held_bytes - huge_bytes;
    c->live_blocks = c->large_blocks + huge_blocks;
    c->live_bytes = c->large_bytes + huge_bytes - job->slack;
    for (uint32_t i = 0; i < job->page->header.class_count; i++) {
        const struct look_class *const size_class = &job->look->classes[i];
        const uint64_t free = size_class->at_home + size_class->in_slots + size_class->in_depots;
        const uint64_t live = size_class->made > free ? size_class->made - free : 0;
        job->page->classes[i].live_blocks = live;
        c->live_blocks += live;
        c->live_bytes += live * job->page->classes[i].block_bytes;
    }
    c->huge_blocks = huge_blocks;
    c->huge_bytes = huge_bytes;
    c->brk_bytes = break_bytes;
    c->mmap_bytes = map_bytes + huge_bytes + job->look->kept_mapping;
    c->counted_ns = tool_now_ns();
    return true;
}

static uint64_t mallocs_of_classes(const struct myalloc_live *page)
{
    uint64_t mallocs = 0;
    for (uint32_t i = 0; i < page->header.class_count; i++) {
        mallocs += page->classes[i].mallocs;
    }
    return mallocs;
}

/* The page counts those of larger blocks by itself. */
static void sum_calls(struct myalloc_live *page, uint64_t others)
{
    struct myalloc_live_counters *const c = &page->counters;
    c->mallocs = others + mallocs_of_classes(page);
    c->frees = c->mallocs > c->live_blocks ? c->mallocs - c->live_blocks : 0;
}

/* Everything that is counted, from nothing. */
static bool count(struct job *job)
{
    struct myalloc_live_counters *const c = &job->page->counters;
    const uint64_t others = c->mallocs - mallocs_of_classes(job->page);
    c->large_blocks = 0;
    c->large_bytes = 0;
    c->dirty_free_bytes = 0;
    if (!read_classes(job)) {
        return false;
    }
    for (uint32_t i = 0; i < job->page->header.class_count; i++) {
        job->page->classes[i].mallocs = 0;
    }
    if (!read_slots(job) || !read_depots(job) || !read_map(job) || !read_chunks(job) ||
        !sum_up(job)) {
        return false;
    }
    sum_calls(job->page, others);
    return true;
}

/* A page of a process without one. */
static void fill_header(struct myalloc_live *page, const struct process *process)
{
    memset(page, 0, sizeof(*page));
    page->header.magic = MYALLOC_LIVE_MAGIC;
    page->header.version = MYALLOC_LIVE_VERSION;
    page->header.pid = (uint32_t)process->pid;
    page->header.chunk_bytes = 16384;
    page->header.started_ns = process->started_ns;
    page->header.state = MYALLOC_LIVE_RUNNING;
    memcpy(page->header.exe, process->name, sizeof(page->header.exe) - 1);
}

/* The page with the counts of now; NULL: its memory cannot be read. */
static struct myalloc_live *count_now(const struct process *process,
                                      const struct myalloc_live *page, struct look *look,
                                      uint64_t *trimmed)
{
    struct myalloc_live *const now = tool_allocate(sizeof(*now));
    struct job job = {.fd = memory_open(process->pid), .page = now, .look = look};
    if (page != NULL) {
        memcpy(now, page, sizeof(*now));
    } else {
        fill_header(now, process);
    }
    bool is_counted = false;
    if (job.fd >= 0) {
        is_counted =
            look_tables_read(job.fd, process->pid, page, job.tables) && read_list_end(&job);
        job.trim = is_counted && trimmed != NULL ? trim_open(job.fd, job.list_end) : NULL;
        is_counted = is_counted && count(&job);
        is_counted =
            (job.trim == NULL || trim_close(job.trim, process->pid, trimmed)) && is_counted;
        close(job.fd);
    }
    free(job.dirty);
    if (!is_counted) {
        free(now);
        return NULL;
    }
    return now;
}

struct myalloc_live *look_at(const struct process *process, struct look *look, const char **why)
{
    struct myalloc_live *const page = live_page_of(process, why);
    *look = (struct look){.has_history = page != NULL};
    struct myalloc_live *const now = count_now(process, page, look, NULL);
    if (now == NULL) { // LOOK-2
        *look = (struct look){.has_history = page != NULL};
        return page;
    }
    look->is_now = true;
    free(page);
    return now;
}

bool look_trim(const struct process *process, uint64_t *bytes)
{
    struct look look = {.is_now = false};
    struct myalloc_live *const page = count_now(process, NULL, &look, bytes);
    const bool is_told = page != NULL;
    free(page);
    return is_told;
}

struct myalloc_live *look_twice(const struct process *process, struct look *look, const char **why)
{
    struct look before;
    struct myalloc_live *const first = look_at(process, &before, why);
    struct myalloc_live *const page = look_at(process, look, why);
    look->is_still = first != NULL && page != NULL && look->is_now &&
                     first->counters.live_bytes == page->counters.live_bytes &&
                     // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): no padding
                     memcmp(first->classes, page->classes, sizeof(page->classes)) == 0 &&
                     // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
                     memcmp(first->slots, page->slots, sizeof(page->slots)) == 0;
    free(first);
    return page;
}
