/* series.h - the memory of a process against time. */
#ifndef CLI_PROCFS_SERIES_H
#define CLI_PROCFS_SERIES_H

#include "cli/procfs/live_page.h"

struct sample {
    uint64_t time_ns;    // [const] CLOCK_BOOTTIME
    uint64_t heap_bytes; // [const] the mapping [heap]: what brk gave
    uint64_t mmap_bytes; // [const] private writable anonymous mappings, without stacks and bss
    uint64_t rss_bytes;  // [const] resident
    uint64_t live_bytes; // [const] in blocks the program holds; only under the library
};

#define SERIES_SAMPLES_MAX 2048 // then every second one is dropped, so a long run costs no more
#define SERIES_EVENTS_MAX  8192 // then further marks are counted only

struct series {
    struct sample *samples;    // [owner]
    size_t count;              // [owner]
    unsigned stride;           // [owner] looks per sample that is kept: 1, 2, 4 ...
    unsigned looks;            // [owner] since the last kept sample
    struct live_event *events; // [owner] marks, times ascending
    size_t event_count;        // [owner]
    uint64_t event_last;       // [owner] number of the last event taken from the page
    uint64_t events_lost;      // [owner] overwritten in the ring, or above the maximum
    bool has_page;             // [owner] a live page was seen, so the marks are its events
    bool has_live;             // [owner] blocks in use were counted
    bool is_exact;             // [const] each look counts them anew, in the memory of the process
};

void series_init(struct series *series);
void series_free(struct series *series);

/* From nothing again: what was seen so far is of another program. */
void series_restart(struct series *series);

/* Look at the process once; keeps the sample if it is its turn.  Returns 0 or the errno; ESRCH when
 * the process is gone. */
int series_look(struct series *series, const struct process *process, struct sample *sample);

/* Take the new events of a page. */
void series_take_events(struct series *series, const struct myalloc_live *page);

/* Append the chart, an SVG of its own, and the sums of its events, in HTML. */
void series_put_chart(struct text *svg, struct text *notes, const struct series *series,
                      const char *title);

/* Write the chart to a file, .svg or .html; `title` names the program. */
void series_write_chart(const struct series *series, const char *title, const char *path);

#endif
