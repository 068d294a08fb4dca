/* chart.c - the chart of a series: four lines, and a lane of marks below.
 *
 * Owns:       the geometry of the chart.
 * Threads:    one.
 * Invariants: CHART-1  a series of any length, down to none, makes a well-formed picture.
 *             CHART-2  both axes start at zero, so that heights can be compared.
 */
#include "cli/procfs/series.h"

#include "cli/render/svg.h"
#include "cli/render/units.h"

#include <stddef.h>
#include <string.h>

#define WIDTH       960u
#define HEIGHT      470u
#define LEFT        90u
#define RIGHT       940u
#define TOP         80u
#define BOTTOM      350u
#define LANES_TOP   390u // the marks: growth above, giving back below
#define LANE_HEIGHT 22u
#define VALUE_MAX   (1ull << 60)

struct scale {
    uint64_t from_ns;   // time at LEFT
    uint64_t span_ns;   // never 0
    uint64_t bytes_max; // value at TOP, never 0
};

static const struct {
    const char *name;
    const char *style;
    size_t field; // offset of the value in struct sample
} g_lines[] = {
    {"heap (brk)", "heap", offsetof(struct sample, heap_bytes)},
    {"anonymous mappings", "mmap", offsetof(struct sample, mmap_bytes)},
    {"resident (RSS)", "rss", offsetof(struct sample, rss_bytes)},
    {"live blocks", "live", offsetof(struct sample, live_bytes)},
};
#define LINE_COUNT (sizeof(g_lines) / sizeof(g_lines[0]))

/* A page may claim anything; up to VALUE_MAX the sums of the axes cannot overflow. */
static uint64_t value_of(const struct sample *sample, size_t line)
{
    uint64_t value = 0;
    memcpy(&value, (const char *)sample + g_lines[line].field, sizeof(value));
    return value < VALUE_MAX ? value : VALUE_MAX;
}

/* Without a live page nothing is known about blocks: no line along the bottom. */
static size_t line_count(const struct series *series)
{
    return series->has_live ? LINE_COUNT : LINE_COUNT - 1;
}

/* A power of two, so that the marks of the axis are round KiB and MiB. */
static uint64_t step_below(uint64_t value)
{
    uint64_t step = 1;
    while (step * 2 * 4 <= value) {
        step *= 2;
    }
    return step;
}

/* 1, 2 or 5 times a power of ten, of which at most eight make the span. */
static uint64_t time_step_of(uint64_t span_ns)
{
    uint64_t step = 1;
    for (unsigned i = 0; step * 8 < span_ns; i++) {
        step = i % 3 == 1 ? step / 2 * 5 : step * 2;
    }
    return step;
}

static struct scale scale_of(const struct series *series)
{
    struct scale scale = {.span_ns = 1, .bytes_max = 4096};
    for (size_t i = 0; i < series->count; i++) {
        for (size_t line = 0; line < line_count(series); line++) {
            const uint64_t value = value_of(&series->samples[i], line);
            scale.bytes_max = value > scale.bytes_max ? value : scale.bytes_max;
        }
    }
    if (series->count != 0) {
        scale.from_ns = series->samples[0].time_ns;
        const uint64_t last = series->samples[series->count - 1].time_ns;
        scale.span_ns = last > scale.from_ns ? last - scale.from_ns : 1;
    }
    const uint64_t step = step_below(scale.bytes_max);
    scale.bytes_max = (scale.bytes_max + step - 1) / step * step;
    return scale;
}

static double x_of(const struct scale *scale, uint64_t time_ns)
{
    const uint64_t since = time_ns > scale->from_ns ? time_ns - scale->from_ns : 0;
    const double part = (double)since / (double)scale->span_ns;
    return LEFT + (part < 1.0 ? part : 1.0) * (RIGHT - LEFT);
}

static double y_of(const struct scale *scale, uint64_t bytes)
{
    return BOTTOM - (double)bytes / (double)scale->bytes_max * (BOTTOM - TOP);
}

static void put_axes(struct text *out, const struct scale *scale)
{
    const uint64_t step = step_below(scale->bytes_max);
    for (uint64_t bytes = 0; bytes <= scale->bytes_max; bytes += step) {
        const double y = y_of(scale, bytes);
        text_printf(out, "<line class='grid' x1='%u' x2='%u' y1='%.1f' y2='%.1f'/>", LEFT, RIGHT, y,
                    y);
        text_printf(out, "<text class='quiet' x='%u' y='%.1f' text-anchor='end'>%s</text>\n",
                    LEFT - 8, y + 4, units_bytes(bytes).chars);
    }
    const uint64_t time_step = time_step_of(scale->span_ns);
    for (uint64_t since = 0; since <= scale->span_ns; since += time_step) {
        const double x = x_of(scale, scale->from_ns + since);
        text_printf(out, "<text class='quiet' x='%.1f' y='%u' text-anchor='middle'>%s</text>\n", x,
                    BOTTOM + 18, units_ns(since).chars);
    }
}

static void put_lines(struct text *out, const struct series *series, const struct scale *scale)
{
    unsigned legend_x = LEFT;
    for (size_t line = 0; line < line_count(series); line++) {
        text_printf(out, "<line class='line %s' x1='%u' x2='%u' y1='54' y2='54'/>",
                    g_lines[line].style, legend_x, legend_x + 18);
        text_printf(out, "<text x='%u' y='58'>%s</text>\n", legend_x + 24, g_lines[line].name);
        legend_x += 190;
        text_printf(out, "<polyline class='line %s' points='", g_lines[line].style);
        for (size_t i = 0; i < series->count; i++) {
            text_printf(out, "%.1f,%.1f ", x_of(scale, series->samples[i].time_ns),
                        y_of(scale, value_of(&series->samples[i], line)));
        }
        text_put(out, "'/>\n");
    }
}

static const struct {
    const char *style;
    unsigned lane;
} g_marks[] = {
    [MYALLOC_LIVE_EVENT_BRK_GROW] = {"heap", 0}, [MYALLOC_LIVE_EVENT_BRK_SHRINK] = {"heap", 1},
    [MYALLOC_LIVE_EVENT_MMAP] = {"mmap", 0},     [MYALLOC_LIVE_EVENT_MUNMAP] = {"mmap", 1},
    [MYALLOC_LIVE_EVENT_PURGE] = {"purge", 1},   [MYALLOC_LIVE_EVENT_TRIM] = {"heap", 1},
};

static void put_marks(struct text *out, const struct series *series, const struct scale *scale)
{
    static const char *const lanes[] = {"taken", "given back"};
    for (unsigned lane = 0; lane < 2; lane++) {
        const unsigned y = LANES_TOP + lane * (LANE_HEIGHT + 6);
        text_printf(out, "<text class='quiet' x='%u' y='%u' text-anchor='end'>%s</text>\n",
                    LEFT - 8, y + 15, lanes[lane]);
        text_printf(out, "<line class='grid' x1='%u' x2='%u' y1='%u' y2='%u'/>\n", LEFT, RIGHT,
                    y + LANE_HEIGHT, y + LANE_HEIGHT);
    }
    for (size_t i = 0; i < series->event_count; i++) {
        const struct live_event *const event = &series->events[i];
        const double x = x_of(scale, event->time_ns);
        const unsigned y = LANES_TOP + g_marks[event->kind].lane * (LANE_HEIGHT + 6);
        text_printf(out,
                    "<line class='mark %s' x1='%.1f' x2='%.1f' y1='%u' y2='%u'><title>%s %s</title>"
                    "</line>\n",
                    g_marks[event->kind].style, x, x, y, y + LANE_HEIGHT,
                    live_page_event_name(event->kind), units_bytes(event->bytes).chars);
    }
    text_printf(out,
                "<text class='quiet' x='%u' y='%u'>marks: blue brk, violet mmap and munmap, "
                "yellow purge%s</text>\n",
                LEFT, HEIGHT - 12, series->events_lost != 0 ? "; some marks were lost" : "");
}

static void put_event_table(struct text *out, const struct series *series)
{
    uint64_t counts[MYALLOC_LIVE_EVENT_TRIM + 1] = {0};
    uint64_t bytes[MYALLOC_LIVE_EVENT_TRIM + 1] = {0};
    for (size_t i = 0; i < series->event_count; i++) {
        counts[series->events[i].kind]++;
        bytes[series->events[i].kind] += series->events[i].bytes;
    }
    text_put(out, "<table><tr><th>event<th>count<th>bytes\n");
    for (uint32_t kind = MYALLOC_LIVE_EVENT_BRK_GROW; kind <= MYALLOC_LIVE_EVENT_TRIM; kind++) {
        text_printf(out, "<tr><td>%s<td>%s<td>%s\n", live_page_event_name(kind),
                    units_count(counts[kind]).chars, units_bytes(bytes[kind]).chars);
    }
    text_put(out, "</table>\n");
}

void series_put_chart(struct text *svg, struct text *notes, const struct series *series,
                      const char *title)
{
    const struct scale scale = scale_of(series);
    svg_open(svg, WIDTH, HEIGHT, title);
    put_axes(svg, &scale);
    put_lines(svg, series, &scale);
    put_marks(svg, series, &scale);
    svg_close(svg);
    put_event_table(notes, series);
}

void series_write_chart(const struct series *series, const char *title, const char *path)
{
    struct text svg = {0};
    struct text notes = {0};
    series_put_chart(&svg, &notes, series, title);
    svg_write_path(&svg, &notes, title, path);
    text_free(&svg);
    text_free(&notes);
}
