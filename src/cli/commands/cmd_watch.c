/* cmd_watch.c - `myalloc watch PID`: heap, mappings and RSS against time.
 *
 * Owns:       the screen while it runs on a terminal.
 * Threads:    one.
 * Invariants: WATCH-1  the end of the process ends the watch: exit TOOL_OK, the chart is written.
 *             WATCH-2  an interrupt ends it as well, not before the chart is written.
 */
#include "cli/commands/commands.h"

#include "cli/render/json.h"
#include "cli/procfs/series.h"
#include "cli/render/table.h"
#include "cli/commands/target.h"
#include "cli/tool.h"
#include "cli/render/units.h"

#include <errno.h>
#include <langinfo.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SPARK_COLUMNS 60
#define EVENTS_SHOWN  8

static volatile sig_atomic_t g_is_interrupted; // WATCH-2: set by the handler of SIGINT

static void on_interrupt(int number)
{
    (void)number;
    g_is_interrupted = 1;
}

struct watch {
    const struct options *options; // [const]
    struct process process;        // [const]
    struct series series;          // [owner]
    bool is_screen;                // [const] redraw on a terminal, else one line per round
    size_t events_shown;           // [owner] events that the lines told already
};

/* The last samples of one value as a line of bars, scaled to the largest of them. */
static void put_spark(struct text *out, const struct watch *watch, size_t field)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const letters[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
    const bool is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    const struct series *const series = &watch->series;
    const size_t from = series->count > SPARK_COLUMNS ? series->count - SPARK_COLUMNS : 0;
    uint64_t most = 1;
    for (size_t i = from; i < series->count; i++) {
        uint64_t value = 0;
        memcpy(&value, (const char *)&series->samples[i] + field, sizeof(value));
        most = value > most ? value : most;
    }
    for (size_t i = from; i < series->count; i++) {
        uint64_t value = 0;
        memcpy(&value, (const char *)&series->samples[i] + field, sizeof(value));
        const size_t level = (size_t)((double)value / (double)most * 7.0);
        text_put(out, is_utf8 ? blocks[level] : letters[level]);
    }
}

static void put_event(struct text *out, const struct watch *watch, const struct live_event *event)
{
    const uint64_t begin = watch->series.samples[0].time_ns;
    const uint64_t since = event->time_ns > begin ? event->time_ns - begin : 0;
    text_printf(out, "  %10s  %-10s %s\n", units_ns(since).chars, live_page_event_name(event->kind),
                units_bytes(event->bytes).chars);
}

static void put_screen(struct text *out, const struct watch *watch, const struct sample *sample)
{
    const struct {
        const char *name;
        enum colour colour;
        uint64_t value;
        size_t field;
    } rows[] = {
        {"heap", COLOUR_BLUE, sample->heap_bytes, offsetof(struct sample, heap_bytes)},
        {"mmap", COLOUR_MAGENTA, sample->mmap_bytes, offsetof(struct sample, mmap_bytes)},
        {"rss", COLOUR_RED, sample->rss_bytes, offsetof(struct sample, rss_bytes)},
        {"live", COLOUR_GREEN, sample->live_bytes, offsetof(struct sample, live_bytes)},
    };
    text_printf(out, "\033[H\033[2J%s (pid %d), every %g s; Ctrl-C ends\n\n", watch->process.name,
                (int)watch->process.pid, watch->options->delay_seconds);
    for (size_t i = 0; i < (watch->series.has_live ? 4 : 3); i++) {
        struct text spark = {0};
        put_spark(&spark, watch, rows[i].field);
        text_printf(out, "%-4s %10s  ", rows[i].name, units_bytes(rows[i].value).chars);
        table_put_coloured(out, watch->options->is_coloured, rows[i].colour, text_string(&spark));
        text_put_char(out, '\n');
        text_free(&spark);
    }
    const size_t count = watch->series.event_count;
    text_put(out, count != 0 ? "\nevents\n" : "\n");
    for (size_t i = count > EVENTS_SHOWN ? count - EVENTS_SHOWN : 0; i < count; i++) {
        put_event(out, watch, &watch->series.events[i]);
    }
}

static void put_line(struct text *out, struct watch *watch, const struct sample *sample)
{
    const uint64_t since = sample->time_ns - watch->series.samples[0].time_ns;
    text_printf(out, "%10s  heap %-10s mmap %-10s rss %s", units_ns(since).chars,
                units_bytes(sample->heap_bytes).chars, units_bytes(sample->mmap_bytes).chars,
                units_bytes(sample->rss_bytes).chars);
    if (watch->series.has_live) {
        text_printf(out, "  live %s", units_bytes(sample->live_bytes).chars);
    }
    text_put_char(out, '\n');
    for (; watch->events_shown < watch->series.event_count; watch->events_shown++) {
        put_event(out, watch, &watch->series.events[watch->events_shown]);
    }
}

static void put_json(struct text *out, const struct watch *watch, const struct sample *sample)
{
    struct json json = {.out = out};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_number(&json, "pid", (uint64_t)watch->process.pid);
    json_number(&json, "time_ns", sample->time_ns);
    json_number(&json, "heap_bytes", sample->heap_bytes);
    json_number(&json, "mmap_bytes", sample->mmap_bytes);
    json_number(&json, "rss_bytes", sample->rss_bytes);
    if (watch->series.has_live) {
        json_number(&json, "live_bytes", sample->live_bytes);
    }
    json_number(&json, "events", watch->series.event_count + watch->series.events_lost);
    json_close(&json, '}');
    text_put_char(out, '\n');
}

static void follow(struct watch *watch)
{
    struct text out = {0};
    for (uint64_t n = 1; g_is_interrupted == 0; n++) {
        struct sample sample;
        if (series_look(&watch->series, &watch->process, &sample) != 0) {
            tool_warn("process %d has ended", (int)watch->process.pid); // WATCH-1
            break;
        }
        if (option_is_given(watch->options, OPTION_JSON)) {
            put_json(&out, watch, &sample);
        } else if (watch->is_screen) {
            put_screen(&out, watch, &sample);
        } else {
            put_line(&out, watch, &sample);
        }
        text_write(&out, watch->options->out);
        if (n == watch->options->rounds) {
            break;
        }
        tool_sleep(watch->options->delay_seconds);
    }
    text_free(&out);
}

int cmd_watch(const struct options *options, char **words)
{
    struct target target;
    if (!target_open(&target, words[0])) {
        return TOOL_NO;
    }
    struct watch watch = {
        .options = options,
        .process = target.process,
        .is_screen = !option_is_given(options, OPTION_BATCH) && isatty(fileno(options->out)) != 0,
    };
    target_close(&target);
    const struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    series_init(&watch.series);
    watch.series.is_exact = true;
    follow(&watch);
    if (options->values[OPTION_TIMELINE] != NULL) {
        struct text title = {0};
        text_printf(&title, "%s (pid %d)", watch.process.name, (int)watch.process.pid);
        series_write_chart(&watch.series, text_string(&title), options->values[OPTION_TIMELINE]);
        text_free(&title);
    }
    series_free(&watch.series);
    return TOOL_OK;
}
