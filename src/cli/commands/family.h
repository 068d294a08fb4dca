/* family.h - the processes that a program under the library starts, as their live pages tell. */
#ifndef CLI_COMMANDS_FAMILY_H
#define CLI_COMMANDS_FAMILY_H

#include "cli/procfs/series.h"
#include "cli/render/json.h"

struct member {
    pid_t pid;                             // [const]
    bool has_ended;                        // [owner]
    bool was_killed;                       // [owner] so its counts are as old as its last census
    char name[MYALLOC_LIVE_NAME_BYTES];    // [owner] of the program that it ran last
    bool is_named;                         // [owner] by its present program
    uint64_t started_ns;                   // [owner]
    uint64_t page_ns;                      // [owner] when its present page was made; 0: none yet
    uint64_t ended_ns;                     // [owner] 0: it still runs
    struct myalloc_live_counters counters; // [owner] the last ones
    struct series series;                  // [owner] its samples; none where samples is NULL
};

struct family {
    uint32_t id;            // [const] live:ID, by which the library marks the pages of the family
    pid_t head;             // [const] the program itself, which is not told here
    const char *directory;  // [const] where the pages are; NULL: nowhere
    bool has_series;        // [const] take samples
    struct member *members; // [owner] in the order in which they were seen
    size_t count;           // [owner]
};

/* Take what ended since the last look; `is_last`: and what still runs. */
void family_look(struct family *family, bool is_last);

/* Append their sum, and a table with the largest first; nothing when there are none. */
void family_put(struct text *out, const struct family *family, bool coloured);
void family_put_json(struct json *json, const struct family *family);

/* Append a chart for each member that lived long enough for samples. */
void family_put_charts(struct text *svg, struct text *notes, const struct family *family);

void family_free(struct family *family);

#endif
