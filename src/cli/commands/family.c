/* family.c - collects the live pages of a family of processes while its head runs.
 *
 * Owns:       the pages of members that ended, which it removes; a member removes none itself.
 * Threads:    one.
 * Invariants: FAMILY-1  a page is taken for a member's only by the id in its header.
 *             FAMILY-2  a process that executes another program stays one member; its chart is
 *                       that of the program that it is named after, the last one.
 */
#include "cli/commands/family.h"

#include "cli/render/table.h"
#include "cli/render/units.h"
#include "cli/tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMBERS_MAX 100000u
#define SERIES_MAX  24u // each takes half a MiB
#define ROWS_SHOWN  20u
#define SAMPLES_MIN 2u // a line has two ends

static struct member *member_of(struct family *family, pid_t pid)
{
    for (size_t i = family->count; i > 0; i--) {
        struct member *const member = &family->members[i - 1];
        if (member->pid == pid && !member->has_ended) { // FAMILY-2
            return member;
        }
    }
    if (family->count == MEMBERS_MAX) {
        return NULL;
    }
    family->members = tool_resize(family->members, (family->count + 1) * sizeof(*family->members));
    struct member *const member = &family->members[family->count++];
    *member = (struct member){.pid = pid};
    if (family->has_series && family->count <= SERIES_MAX) {
        series_init(&member->series);
        member->series.is_exact = true;
    }
    return member;
}

static void take(struct member *member, const struct myalloc_live *page)
{
    memcpy(member->name, page->header.exe, sizeof(member->name));
    member->started_ns = member->started_ns != 0 ? member->started_ns : page->header.started_ns;
    member->counters = page->counters;
    member->is_named = page->header.exe[0] != 0;
    if (member->series.samples != NULL) {
        series_take_events(&member->series, page);
    }
}

static void sample(struct member *member)
{
    struct process process = {.pid = member->pid, .uid = geteuid()};
    struct sample ignored;
    if (member->series.samples != NULL) {
        series_look(&member->series, &process, &ignored);
    }
}

/* A program that is executed has a new page; what was seen before is of its parent's copy. */
static void see_exec(struct member *member, const struct myalloc_live_header *header)
{
    if (member->page_ns != 0 && header->started_ns != member->page_ns) {
        member->is_named = false;
        if (member->series.samples != NULL) {
            series_restart(&member->series); // FAMILY-2
        }
    }
    member->page_ns = header->started_ns;
}

/* One file of the directory. */
static void look_at_page(struct family *family, int directory, const char *name, bool is_last)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const pid_t pid = (pid_t)strtol(name, NULL, 10);
    struct myalloc_live_header header = {0};
    const char *why = NULL;
    const int fd = pid > 0 && pid != family->head ? openat(directory, name, flags) : -1;
    if (fd < 0) {
        return;
    }
    const bool is_ours = pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
                         header.magic == MYALLOC_LIVE_MAGIC && header.family == family->id &&
                         header.pid == (uint32_t)pid; // FAMILY-1
    struct member *const member = is_ours ? member_of(family, pid) : NULL;
    if (member != NULL) {
        see_exec(member, &header);
    }
    const bool is_gone = member != NULL && kill(pid, 0) != 0 && errno == ESRCH;
    const bool has_ended = is_gone || header.state == MYALLOC_LIVE_ENDED;
    if (member != NULL && (has_ended || is_last || !member->is_named)) {
        struct myalloc_live *const page = live_page_read(fd, &why);
        if (page != NULL) {
            take(member, page);
        }
        member->has_ended = has_ended;
        member->was_killed = has_ended && header.state != MYALLOC_LIVE_ENDED;
        member->ended_ns = !has_ended ? 0 : header.ended_ns != 0 ? header.ended_ns : tool_now_ns();
        free(page);
    }
    if (member != NULL && has_ended) {
        unlinkat(directory, name, 0);
    } else if (member != NULL) {
        sample(member);
    }
    close(fd);
}

void family_look(struct family *family, bool is_last)
{
    DIR *const directory = family->directory != NULL ? opendir(family->directory) : NULL;
    if (directory == NULL) {
        return;
    }
    for (struct dirent *entry = NULL; (entry = readdir(directory)) != NULL;) {
        look_at_page(family, dirfd(directory), entry->d_name, is_last);
    }
    closedir(directory);
}

// ---- telling ----

static int compare(const void *a, const void *b)
{
    const struct member *const first = *(const struct member *const *)a;
    const struct member *const second = *(const struct member *const *)b;
    const uint64_t first_bytes = first->counters.footprint_peak_bytes;
    const uint64_t second_bytes = second->counters.footprint_peak_bytes;
    return (first_bytes < second_bytes) - (first_bytes > second_bytes);
}

static uint64_t duration_ns(const struct member *member)
{
    const uint64_t end = member->ended_ns != 0 ? member->ended_ns : tool_now_ns();
    return end > member->started_ns ? end - member->started_ns : 0;
}

static void put_row(struct table *table, const struct member *member)
{
    const struct myalloc_live_counters *const c = &member->counters;
    const char *const about = member->was_killed ? "~" : "";
    table_cell(table, COLOUR_NONE, "%d", (int)member->pid);
    table_cell(table, COLOUR_NONE, "%s", units_ns(duration_ns(member)).chars);
    table_cell(table, COLOUR_NONE, "%s", units_bytes(c->footprint_peak_bytes).chars);
    table_cell(table, COLOUR_NONE, "%s%s", about, units_bytes(c->live_peak_bytes).chars);
    table_cell(table, COLOUR_NONE, "%s%s", about, units_bytes(c->live_bytes).chars);
    table_cell(table, COLOUR_NONE, "%s%s", about, units_count(c->mallocs).chars);
    table_cell(table, COLOUR_CYAN, "%s%s", member->name,
               member->was_killed   ? ", killed"
               : !member->has_ended ? ", still runs"
                                    : "");
}

void family_put(struct text *out, const struct family *family, bool coloured)
{
    uint64_t mallocs = 0;
    uint64_t live_bytes = 0;
    if (family->count == 0) {
        return;
    }
    const struct member **const order = tool_allocate(family->count * sizeof(const void *));
    for (size_t i = 0; i < family->count; i++) {
        order[i] = &family->members[i];
        mallocs += order[i]->counters.mallocs;
        live_bytes += order[i]->counters.live_bytes;
    }
    qsort(order, family->count, sizeof(const void *), compare);
    text_printf(out, "  and %s that it started: about %s malloc, %s live at exit\n\n",
                units_of(family->count, "process", "processes").chars, units_count(mallocs).chars,
                units_bytes(live_bytes).chars);
    struct table table;
    table_init(&table, "rrrrrrl");
    static const char *const heads[] = {"PID",     "TIME",    "PEAK HEAP", "PEAK LIVE",
                                        "AT EXIT", "MALLOCS", "NAME"};
    for (size_t i = 0; i < 7; i++) {
        table_cell(&table, COLOUR_BOLD, "%s", heads[i]);
    }
    for (size_t i = 0; i < family->count && i < ROWS_SHOWN; i++) {
        put_row(&table, order[i]);
    }
    table_print(&table, out, coloured);
    if (family->count > ROWS_SHOWN) {
        text_printf(out, "and %zu smaller ones\n", family->count - ROWS_SHOWN);
    }
    free(order);
}

void family_put_json(struct json *json, const struct family *family)
{
    json_open(json, "children", '[');
    for (size_t i = 0; i < family->count; i++) {
        const struct member *const member = &family->members[i];
        const struct myalloc_live_counters *const c = &member->counters;
        json_open(json, NULL, '{');
        json_number(json, "pid", (uint64_t)member->pid);
        json_string(json, "name", member->name);
        json_bool(json, "has_ended", member->has_ended);
        json_bool(json, "was_killed", member->was_killed);
        json_number(json, "elapsed_ns", duration_ns(member));
        json_number(json, "heap_peak_bytes", c->footprint_peak_bytes);
        json_number(json, "live_peak_bytes", c->live_peak_bytes);
        json_number(json, "live_bytes", c->live_bytes);
        json_number(json, "mallocs", c->mallocs);
        json_number(json, "frees", c->frees);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void family_put_charts(struct text *svg, struct text *notes, const struct family *family)
{
    for (size_t i = 0; i < family->count; i++) {
        const struct member *const member = &family->members[i];
        if (member->series.count >= SAMPLES_MIN) {
            struct text title = {0};
            text_printf(&title, "%s (pid %d)", member->name, (int)member->pid);
            text_put(notes, "<h2>");
            text_put_escaped(notes, text_string(&title));
            text_put(notes, "</h2>\n");
            series_put_chart(svg, notes, &member->series, text_string(&title));
            text_free(&title);
        }
    }
}

void family_free(struct family *family)
{
    for (size_t i = 0; i < family->count; i++) {
        series_free(&family->members[i].series);
    }
    free(family->members);
    *family = (struct family){0};
}
