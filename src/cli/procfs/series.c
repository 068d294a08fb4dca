/* series.c - take samples of a process, from outside and at a bounded cost.
 *
 * Owns:       the samples and marks.
 * Threads:    one.
 * Invariants: SERIES-1  count <= SERIES_SAMPLES_MAX; a longer run gets a wider stride, not more.
 *             SERIES-2  without a live page the marks are what the samples show: [heap] changed.
 */
#include "cli/procfs/series.h"

#include "cli/procfs/look.h"

#include "cli/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_BYTES_MAX (8ull << 30) // of a larger heap the library's own counts must do

void series_init(struct series *series)
{
    *series = (struct series){
        .samples = tool_allocate(SERIES_SAMPLES_MAX * sizeof(struct sample)),
        .events = tool_allocate(SERIES_EVENTS_MAX * sizeof(struct live_event)),
        .stride = 1,
    };
}

void series_free(struct series *series)
{
    free(series->samples);
    free(series->events);
    *series = (struct series){0};
}

void series_restart(struct series *series)
{
    *series = (struct series){
        .samples = series->samples,
        .events = series->events,
        .stride = 1,
        .is_exact = series->is_exact,
    };
}

static void keep_event(struct series *series, const struct live_event *event)
{
    if (series->event_count == SERIES_EVENTS_MAX) {
        series->events_lost++;
        return;
    }
    series->events[series->event_count++] = *event;
}

void series_take_events(struct series *series, const struct myalloc_live *page)
{
    struct live_event *const fresh = tool_allocate(MYALLOC_LIVE_EVENTS_MAX * sizeof(*fresh));
    const size_t count = live_page_events(page, series->event_last, fresh);
    for (size_t i = 0; i < count; i++) {
        series->events_lost += fresh[i].number - series->event_last - 1;
        series->event_last = fresh[i].number;
        keep_event(series, &fresh[i]);
    }
    free(fresh);
    series->has_page = true;
}

/* One line of maps. */
static void add_mapping(struct sample *sample, const char *line)
{
    char *end = NULL;
    const uint64_t from = strtoull(line, &end, 16);
    const uint64_t to = *end == '-' ? strtoull(end + 1, &end, 16) : 0;
    const size_t length = strcspn(line, "\n");
    const bool is_heap = length > 6 && strncmp(line + length - 6, "[heap]", 6) == 0;
    const bool is_private_rw = strncmp(end, " rw-p ", 6) == 0;
    const bool is_anonymous = length != 0 && line[length - 1] == ' ';
    if (to <= from) {
        return;
    }
    if (is_heap) {
        sample->heap_bytes += to - from;
    } else if (is_private_rw && is_anonymous) {
        sample->mmap_bytes += to - from;
    }
}

static int read_kernel(const struct process *process, struct sample *sample)
{
    struct text text = {0};
    int error = procfs_read_of(&text, process->pid, "statm");
    if (error == 0) {
        const char *const resident = strchr(text_string(&text), ' ');
        sample->rss_bytes = resident != NULL ? strtoull(resident, NULL, 10) * 4096 : 0;
        error = sample->rss_bytes != 0 ? procfs_read_of(&text, process->pid, "maps") : ESRCH;
    }
    const char *line = error == 0 ? text_string(&text) : "";
    while (*line != 0) {
        add_mapping(sample, line);
        line += strcspn(line, "\n");
        line += *line == '\n' ? 1 : 0;
    }
    text_free(&text);
    return error;
}

/* SERIES-2 */
static void derive_event(struct series *series, const struct sample *sample)
{
    const uint64_t before = series->samples[series->count - 1].heap_bytes;
    if (sample->heap_bytes == before) {
        return;
    }
    const bool grew = sample->heap_bytes > before;
    const struct live_event event = {
        .time_ns = sample->time_ns,
        .bytes = grew ? sample->heap_bytes - before : before - sample->heap_bytes,
        .kind = grew ? MYALLOC_LIVE_EVENT_BRK_GROW : MYALLOC_LIVE_EVENT_BRK_SHRINK,
    };
    keep_event(series, &event); // without a number: those are the page's
}

static void keep_sample(struct series *series, const struct sample *sample)
{
    if (++series->looks < series->stride) {
        return;
    }
    series->looks = 0;
    if (series->count == SERIES_SAMPLES_MAX) { // SERIES-1
        for (size_t i = 0; i < SERIES_SAMPLES_MAX / 2; i++) {
            series->samples[i] = series->samples[2 * i];
        }
        series->count /= 2;
        series->stride *= 2;
    }
    series->samples[series->count++] = *sample;
}

int series_look(struct series *series, const struct process *process, struct sample *sample)
{
    *sample = (struct sample){.time_ns = tool_now_ns()};
    const int error = read_kernel(process, sample);
    if (error != 0) {
        return error;
    }
    const char *why = NULL;
    struct look look = {.has_history = true};
    const bool is_exact = series->is_exact && sample->heap_bytes <= EXACT_BYTES_MAX;
    struct myalloc_live *const page =
        is_exact ? look_at(process, &look, &why) : live_page_of(process, &why);
    if (page != NULL) {
        sample->live_bytes = page->counters.live_bytes;
        series->has_live = true;
    }
    if (page != NULL && look.has_history) {
        if (!series->has_page) {
            series_restart(series); // until now it was a copy of who started it
            series->has_live = true;
        }
        series_take_events(series, page);
    } else if (!series->has_page && series->count != 0) {
        derive_event(series, sample);
    }
    free(page);
    keep_sample(series, sample);
    return 0;
}
