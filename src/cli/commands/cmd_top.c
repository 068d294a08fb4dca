/* cmd_top.c - `myalloc top`: the processes under the library, refreshed.
 *
 * Owns:       the counts of the round before, for rates.
 * Threads:    one.
 * Invariants: TOP-1  a process that ends between two reads is left out of the round, silently.
 */
#include "cli/commands/commands.h"

#include "cli/render/json.h"
#include "cli/commands/left_pages.h"
#include "cli/procfs/look.h"
#include "cli/render/table.h"
#include "cli/tool.h"
#include "cli/render/units.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct row {
    struct process process;
    bool has_page;    // some counts are there
    bool has_history; // and also those of calls
    bool is_now;      // they are of this moment
    uint64_t live_bytes;
    uint64_t brk_bytes;
    uint64_t mmap_bytes;
    uint64_t returned_bytes;
    uint64_t mallocs;
    uint64_t counted_ns;       // CLOCK_BOOTTIME
    bool has_rate;             // it was there in the round before
    double mallocs_per_second; // since then
};

struct round {
    struct row *rows; // [owner] most resident first
    size_t count;     // [owner]
    uint64_t time_ns; // [const]
};

static bool has_library(pid_t pid)
{
    struct text maps = {0};
    const bool has = procfs_read_of(&maps, pid, "maps") == 0 &&
                     strstr(text_string(&maps), "/libmyalloc.so") != NULL;
    text_free(&maps);
    return has;
}

static bool read_row(pid_t pid, struct row *row)
{
    *row = (struct row){0};
    if (procfs_process(pid, &row->process) != 0) { // TOP-1
        return false;
    }
    const char *why = NULL;
    struct look look;
    struct myalloc_live *const page = look_at(&row->process, &look, &why);
    row->has_page = page != NULL;
    if (page != NULL) {
        row->has_history = look.has_history;
        row->is_now = look.is_now;
        row->counted_ns = page->counters.counted_ns;
        row->live_bytes = page->counters.live_bytes;
        row->brk_bytes = page->counters.brk_bytes;
        row->mmap_bytes = page->counters.mmap_bytes;
        row->returned_bytes = page->counters.purged_bytes + page->counters.trimmed_bytes;
        row->mallocs = page->counters.mallocs;
        free(page);
    }
    return row->has_page || has_library(pid);
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *const first = a;
    const struct row *const second = b;
    if (first->process.rss_bytes != second->process.rss_bytes) {
        return first->process.rss_bytes < second->process.rss_bytes ? 1 : -1;
    }
    return (first->process.pid > second->process.pid) - (first->process.pid < second->process.pid);
}

static void set_rate(struct row *row, const struct round *before, uint64_t time_ns)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct row *const old = &before->rows[i];
        if (old->process.pid == row->process.pid && row->has_history && old->has_history &&
            row->mallocs >= old->mallocs && time_ns > before->time_ns) {
            row->has_rate = true;
            row->mallocs_per_second =
                (double)(row->mallocs - old->mallocs) * 1e9 / (double)(time_ns - before->time_ns);
        }
    }
}

static struct round read_round(const struct round *before)
{
    struct round round = {.time_ns = tool_now_ns()};
    pid_t *const pids = procfs_pids();
    for (size_t i = 0; pids[i] != 0; i++) {
        struct row row;
        if (!read_row(pids[i], &row)) {
            continue;
        }
        set_rate(&row, before, round.time_ns);
        round.rows = tool_resize(round.rows, (round.count + 1) * sizeof(row));
        round.rows[round.count++] = row;
    }
    free(pids);
    if (round.count != 0) {
        qsort(round.rows, round.count, sizeof(*round.rows), compare_rows);
    }
    return round;
}

static void put_json(struct text *out, const struct round *round)
{
    for (size_t i = 0; i < round->count; i++) {
        const struct row *const row = &round->rows[i];
        struct json json = {.out = out};
        json_open(&json, NULL, '{');
        json_number(&json, "schema", 1);
        json_number(&json, "pid", (uint64_t)row->process.pid);
        json_string(&json, "name", row->process.name);
        json_number(&json, "rss_bytes", row->process.rss_bytes);
        json_number(&json, "threads", row->process.threads);
        json_bool(&json, "has_page", row->has_page);
        if (row->has_page) {
            json_number(&json, "live_bytes", row->live_bytes);
            json_number(&json, "counted_ns", row->counted_ns);
            json_number(&json, "brk_bytes", row->brk_bytes);
            json_number(&json, "mmap_bytes", row->mmap_bytes);
        }
        if (row->has_history) {
            json_number(&json, "returned_bytes", row->returned_bytes);
            json_number(&json, "mallocs", row->mallocs);
        }
        if (row->has_rate) {
            json_real(&json, "mallocs_per_second", row->mallocs_per_second);
        }
        json_close(&json, '}');
        text_put_char(out, '\n');
    }
}

/* A value of a label, as the format escapes it; it is UTF-8, what a name need not be. */
static void put_label(struct text *out, const char *value)
{
    while (*value != 0) {
        const size_t bytes = text_character_bytes(value);
        text_put(out, *value == '"' || *value == '\\' ? "\\" : "");
        text_put_bytes(out, bytes != 0 ? value : "?", bytes != 0 ? bytes : 1);
        value += bytes != 0 ? bytes : 1;
    }
}

static const struct metric {
    const char *name;
    const char *help;
    size_t field; // of struct row
    bool is_sum;  // of calls: its name ends in _total, which both formats know without a type
} g_metrics[] = {
    {"myalloc_live_bytes", "In blocks that the program holds.", offsetof(struct row, live_bytes),
     false},
    {"myalloc_break_bytes", "Of the heap at the program break.", offsetof(struct row, brk_bytes),
     false},
    {"myalloc_mapped_bytes", "Of the heap in mappings.", offsetof(struct row, mmap_bytes), false},
    {"myalloc_resident_bytes", "Of the whole process, in memory.",
     offsetof(struct row, process) + offsetof(struct process, rss_bytes), false},
    {"myalloc_returned_bytes_total", "Given back to the kernel so far.",
     offsetof(struct row, returned_bytes), true},
    {"myalloc_mallocs_total", "Allocations so far, approximate.", offsetof(struct row, mallocs),
     true},
};

/* Text that Prometheus reads as its own format and as OpenMetrics. */
static void put_metrics(struct text *out, const struct round *round)
{
    for (size_t m = 0; m < sizeof(g_metrics) / sizeof(g_metrics[0]); m++) {
        const struct metric *const metric = &g_metrics[m];
        text_printf(out, "# HELP %s %s\n", metric->name, metric->help);
        if (!metric->is_sum) {
            text_printf(out, "# TYPE %s gauge\n", metric->name);
        }
        for (size_t i = 0; i < round->count; i++) {
            const struct row *const row = &round->rows[i];
            uint64_t value = 0;
            memcpy(&value, (const char *)row + metric->field, sizeof(value));
            if (metric->is_sum ? row->has_history : row->has_page) {
                text_printf(out, "%s{pid=\"%d\",name=\"", metric->name, (int)row->process.pid);
                put_label(out, row->process.name);
                text_printf(out, "\"} %llu\n", (unsigned long long)value);
            }
        }
    }
    text_put(out, "# EOF\n");
}

static void put_ages(struct text *out, const struct round *round)
{
    const char *before = "\n~ counted by the process: ";
    for (size_t i = 0; i < round->count; i++) {
        const struct row *const row = &round->rows[i];
        if (row->has_page && !row->is_now && row->counted_ns != 0 &&
            row->counted_ns < round->time_ns) {
            text_printf(out, "%s%d %s ago", before, (int)row->process.pid,
                        units_ns(round->time_ns - row->counted_ns).chars);
            before = ", ";
        }
    }
    text_put(out, *before == ',' ? "\n" : "");
}

static void put_table(struct text *out, const struct round *round, bool coloured)
{
    struct table table;
    table_init(&table, "rrrrrrrrl");
    table.spare = "75643";
    static const char *const heads[] = {"PID",      "RSS",      "LIVE",    "BRK", "MMAP",
                                        "RETURNED", "MALLOC/s", "THREADS", "NAME"};
    for (size_t i = 0; i < 9; i++) {
        table_cell(&table, COLOUR_BOLD, "%s", heads[i]);
    }
    for (size_t i = 0; i < round->count; i++) {
        const struct row *const row = &round->rows[i];
        table_cell(&table, COLOUR_NONE, "%d", (int)row->process.pid);
        table_cell(&table, COLOUR_NONE, "%s", units_bytes(row->process.rss_bytes).chars);
        const uint64_t columns[] = {row->live_bytes, row->brk_bytes, row->mmap_bytes,
                                    row->returned_bytes};
        for (size_t column = 0; column < 4; column++) {
            const bool is_told = column == 3 ? row->has_history : row->has_page;
            table_cell(&table, COLOUR_NONE, "%s%s",
                       is_told && column == 0 && !row->is_now ? "~" : "",
                       is_told ? units_bytes(columns[column]).chars : "-");
        }
        table_cell(&table, COLOUR_NONE, "%s",
                   row->has_rate ? units_count((uint64_t)row->mallocs_per_second).chars : "-");
        table_cell(&table, COLOUR_NONE, "%llu", (unsigned long long)row->process.threads);
        table_cell(&table, COLOUR_CYAN, "%s", row->process.name);
    }
    table_print(&table, out, coloured);
    put_ages(out, round);
    if (round->count == 0) {
        text_put(out, "no process runs under libmyalloc.so; start one with `myalloc run`\n");
    }
}

int cmd_top(const struct options *options, char **words)
{
    (void)words;
    const bool is_json = option_is_given(options, OPTION_JSON);
    const bool is_metrics = option_is_given(options, OPTION_OPENMETRICS);
    const bool is_screen = !is_json && !is_metrics && !option_is_given(options, OPTION_BATCH) &&
                           isatty(fileno(options->out)) != 0;
    struct round before = {0};
    struct text out = {0};
    left_pages_sweep();
    for (uint64_t n = 1;; n++) {
        const struct round round = read_round(&before);
        free(before.rows);
        before = round;
        text_put(&out, is_screen ? "\033[H\033[2J" : "");
        if (is_metrics) {
            put_metrics(&out, &round);
        } else if (is_json) {
            put_json(&out, &round);
        } else {
            put_table(&out, &round, options->is_coloured);
        }
        text_write(&out, options->out);
        if (n == options->rounds || is_metrics) {
            break;
        }
        tool_sleep(options->delay_seconds);
    }
    free(before.rows);
    text_free(&out);
    return TOOL_OK;
}
