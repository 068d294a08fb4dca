/* live_page.h - reader of the page that the library writes (myalloc_live.h). */
#ifndef CLI_PROCFS_LIVE_PAGE_H
#define CLI_PROCFS_LIVE_PAGE_H

#include "cli/procfs/procfs.h"
#include "myalloc_live.h"

/* An event, checked and copied. */
struct live_event {
    uint64_t time_ns;   // [const] CLOCK_BOOTTIME
    uint64_t number;    // [const] from 1, ascending; 0: guessed from outside
    uint64_t address;   // [const]
    uint64_t bytes;     // [const]
    uint32_t kind;      // [const] enum myalloc_live_event_kind
    uint32_t thread_id; // [const]
};

/* Read and check the page behind `fd`.  Returns NULL and one sentence in *why if it is none; else a
 * copy for free(), in which every count, shift and name is within its bounds. */
struct myalloc_live *live_page_read(int fd, const char **why);

/* True while a process lives that has this page. */
bool live_page_is_held(int fd);

/* The directories in which the library of user `uid` may have made its pages: the first is that of
 * our environment, which may differ from the process's. */
#define LIVE_PAGE_PLACES 3u
#define LIVE_PAGE_NAMES  99u // PID, PID.2 and so on, where processes of containers have one number
void live_page_directory(struct text *path, uid_t uid, unsigned place);

/* Find and read the page of a process.  NULL and a sentence if there is none that is its own. */
struct myalloc_live *live_page_of(const struct process *process, const char **why);
/* The same; *path: its file. */
struct myalloc_live *live_page_find(const struct process *process, struct text *path,
                                    const char **why);

/* The valid events of a copy with numbers above `after`, in order.  Returns how many were stored
 * into `events`, which has room for MYALLOC_LIVE_EVENTS_MAX. */
size_t live_page_events(const struct myalloc_live *page, uint64_t after, struct live_event *events);

/* A short name of an event kind: "brk grow". */
const char *live_page_event_name(uint32_t kind);

/* Bytes that the library holds from the system: brk and mappings. */
uint64_t live_page_footprint(const struct myalloc_live *page);

#endif
