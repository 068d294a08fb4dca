/* statistics.c - statistics at exit (MYALLOC_CONF=stats), and the end of the live page.
 *
 * Owns:       a duplicate of stderr if numbers were asked for.
 * Threads:    the one that ends the process; others may still work.
 * Locks:      none held while it writes.
 * Invariants: STATISTICS-1  nothing is written to a descriptor that is not the original stderr.
 *             STATISTICS-2  the file name contains the process: nobody overwrites another's.
 *             STATISTICS-3  each process writes once, and only about itself: a vfork child, whose
 *                           memory is its parent's, writes nothing.
 *
 * Programs that end by _exit run no destructors, but call our _exit; for those killed by a signal
 * the numbers are in the live page.
 */
#include "front/statistics.h"

#include "front/report.h"
#include "base/check.h"
#include "base/line.h"
#include "base/os.h"
#include "core/census.h"
#include "front/mode.h"
#include "core/size_class.h"
#include "myalloc.h"
#include "base/options.h"
#include "base/place.h"
#include "front/start.h"
#include "core/thread.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct {
    int fd; // [const] where messages go; 0: none
    uint64_t file_id;
    uint32_t process;       // [const] whose numbers these are
    int error;              // of a failed write; 0: none
    _Atomic(bool) is_ended; // [atomic] STATISTICS-3
} g_statistics;

static bool goes_to_stderr(void)
{
    return strcmp(g_options.stats, "1") == 0;
}

static bool is_asked_for(void)
{
    return start_mode() == START_SERVING &&
           (g_options.stats[0] != '\0' || live_is_on() || mode_has_report());
}

static NOINLINE COLD void tell_few(void)
{
    const struct line none = {.used = 0};
    place_complain("stats: no copy of standard error", &none, EMFILE, STDERR_FILENO);
}

void statistics_start(void)
{
    if (start_once() != START_SERVING || !is_asked_for()) {
        return;
    }
    ASSERT(g_statistics.process == 0);
    g_statistics.process = os_process_id();
    if (g_options.stats[0] != '\0' || mode_has_report()) {
        int kept = os_keep_descriptor(STDERR_FILENO);
        if (kept < 0) {
            tell_few();
        }
        g_statistics.fd = kept >= 0 ? kept : STDERR_FILENO; // no descriptor left: while it is open
        ASSERT(g_statistics.fd > 0);
        g_statistics.file_id = os_file_id(g_statistics.fd);
    }
}

// The duplicate of stderr; -1: it refers to another file by now.
static int talk_fd(void)
{
    ASSERT(g_statistics.fd >= 0);
    bool is_ours = os_file_id(g_statistics.fd) == g_statistics.file_id;
    return is_ours && g_statistics.file_id != 0 ? g_statistics.fd : -1; // STATISTICS-1
}

static int choose_output(struct line *name)
{
    ASSERT(g_options.stats[0] != '\0');
    return goes_to_stderr() ? talk_fd()
                            : place_create(g_options.stats, name, talk_fd()); // STATISTICS-2
}

static void write_line(struct line *line, int fd)
{
    ASSERT(fd >= 0);
    ASSERT(line->used < sizeof line->text);
    int error = line_write(line, fd);
    g_statistics.error = error != 0 ? error : g_statistics.error;
}

static const struct {
    char name[14];   // in place: pointers would need relocations
    uint16_t offset; // in struct myalloc_stats
} g_rows[] = {
#define ROW(field)                                                                                 \
    {                                                                                              \
#field, offsetof(struct myalloc_stats, field)                                              \
    }
    ROW(live),         ROW(cached),      ROW(free_dirty),  ROW(free_clean), ROW(brk),
    ROW(mapped),       ROW(region_peak), ROW(huge),        ROW(huge_peak),  ROW(huge_cached),
    ROW(purged_total), ROW(brk_grows),   ROW(brk_shrinks), ROW(pools),
};

// Appends a number to the line; in text format after `before`.
static COLD void add_number(struct line *line, const char *before, const char *name, uint64_t value)
{
    ASSERT(name[0] != '\0');
    ASSERT(line->used < sizeof line->text);
    bool is_json = g_options.stats_format == STATS_JSON;
    line_add(line, is_json ? (line->used != 0 && line->text[line->used - 1] == '{' ? "\"" : ",\"")
                           : before);
    line_add(line, name);
    line_add(line, is_json ? "\":" : " ");
    line_add_number(line, value);
}

static COLD void write_head(struct line *line, int fd, bool is_json)
{
    ASSERT(line->used == 0);
    line_add(line, is_json ? "{\"schema\":1,\"program\":\"" : "myalloc: statistics of ");
    place_add_program(line);
    line_add(line, is_json ? "\"" : " at exit, in bytes:");
    add_number(line, " ", "process", os_process_id());
    write_line(line, fd);
}

static COLD void write_sums(struct line *line, int fd, const struct census *census)
{
    struct myalloc_stats stats;
    uint64_t mallocs = 0;
    ASSERT(line->used == 0);
    report_fill(&stats);
    for (size_t i = 0; i < sizeof g_rows / sizeof g_rows[0]; i++) {
        size_t value;
        ASSERT(g_rows[i].offset + sizeof value <= sizeof stats);
        memcpy(&value, (const char *)&stats + g_rows[i].offset, sizeof value);
        add_number(line, "myalloc:   ", g_rows[i].name, value);
        write_line(line, fd);
    }
    for (unsigned i = 0; i < CLASSES; i++) {
        mallocs += census->classes[i].handed;
    }
    add_number(line, "myalloc:   ", "mallocs", mallocs); // of size classes
    write_line(line, fd);
}

static COLD void write_classes(struct line *line, int fd, const struct census *census, bool is_json)
{
    ASSERT(line->used == 0);
    const char *between = ",\"classes\":[{";
    for (unsigned i = 0; i < CLASSES; i++) {
        const struct census_class *size_class = &census->classes[i];
        if (size_class->slabs == 0 && size_class->handed == 0) {
            continue;
        }
        line_add(line, is_json ? between : "");
        between = ",{";
        add_number(line, "myalloc:   ", "block", size_class_bytes(i));
        add_number(line, ", ", "mallocs", size_class->handed);
        add_number(line, ", ", "live", size_class->live_blocks);
        add_number(line, ", ", "cached", size_class->cached_blocks);
        add_number(line, ", ", "slabs", size_class->slabs);
        line_add(line, is_json ? "}" : "");
        write_line(line, fd);
    }
    if (is_json) {
        line_add(line, between[0] == ',' && between[1] == '{' ? "]}" : "}");
        write_line(line, fd);
    }
}

static COLD void write_statistics(const struct census *census)
{
    ASSERT(g_options.stats[0] != '\0');
    struct line line = {.used = 0};
    bool is_json = g_options.stats_format == STATS_JSON;
    struct line name = {.used = 0};
    int fd = choose_output(&name);
    if (fd < 0) {
        return;
    }
    write_head(&line, fd, is_json);
    write_sums(&line, fd, census);
    write_classes(&line, fd, census, is_json);
    if (goes_to_stderr()) {
        return;
    }
    os_close(fd);
    if (g_statistics.error != 0) {
        place_complain("not all numbers are in ", &name, g_statistics.error, talk_fd());
    }
}

static NOINLINE COLD void write_all(void)
{
    ASSERT(atomic_load_explicit(&g_statistics.is_ended, memory_order_relaxed)); // STATISTICS-3
    if (mode_has_report()) {
        bool was_inside = thread_enter_bare();
        mode_report(talk_fd());
        thread_leave_bare(was_inside);
    }
    if (g_options.stats[0] != '\0') {
        struct census census;
        bool was_inside = thread_enter_bare();
        census_take(&census);
        mode_count(&census);
        thread_leave_bare(was_inside);
        write_statistics(&census);
    }
    if (live_is_on()) {
        bool was_inside = thread_enter_bare();
        mode_show();
        thread_leave_bare(was_inside);
        live_close();
    }
}

static bool is_first(void)
{
    return !atomic_exchange_explicit(&g_statistics.is_ended, true, memory_order_relaxed);
}

DESTRUCTOR static void statistics_at_exit(void)
{
    if (is_asked_for() && is_first()) {
        write_all();
    }
}

void statistics_end(void)
{
    if (UNLIKELY(is_asked_for()) && os_process_id() == g_statistics.process && // STATISTICS-3
        !thread_is_interrupted() && is_first()) {
        write_all();
    }
}

void statistics_postfork_child(void)
{
    if (is_asked_for()) {
        g_statistics.process = os_process_id();
    }
}
