/* procfs.h - what the kernel tells about processes and itself. */
#ifndef CLI_PROCFS_PROCFS_H
#define CLI_PROCFS_PROCFS_H

#include "cli/render/text.h"

#include <stdint.h>
#include <sys/types.h>

/* One line of /proc/PID/maps, with the numbers of smaps where they are readable. */
struct mapping {
    uint64_t start;         // [const] first address
    uint64_t end;           // [const] address behind the last
    uint64_t file_offset;   // [const] of `start` in the file
    uint64_t inode;         // [const] 0: no file
    char permissions[8];    // [const] "rw-p"
    char *path;             // [const] "" when anonymous; printable
    uint64_t rss_bytes;     // [const] resident
    uint64_t pss_bytes;     // [const] resident, shared pages divided by their users
    uint64_t private_dirty; // [const] resident, written, ours alone; bytes
    uint64_t anon_bytes;    // [const] resident and not of a file
    uint64_t swap_bytes;    // [const]
    uint64_t huge_bytes;    // [const] resident in huge pages
};

struct mappings {
    struct mapping *array; // [owner] addresses ascending
    size_t count;          // [owner]
    bool has_smaps;        // [const] false: only maps could be read, so every RSS is 0
};

struct process {
    pid_t pid;           // [const]
    char name[64];       // [const] Name of status; printable
    char state;          // [const] R S D Z T ...
    uid_t uid;           // [const] real user id
    uint64_t rss_bytes;  // [const]
    uint64_t peak_bytes; // [const] VmHWM
    uint64_t swap_bytes; // [const]
    uint64_t threads;    // [const]
    uint64_t started_ns; // [const] CLOCK_BOOTTIME, to 10 ms
};

/* Take every path below `root` instead of "/": a directory with proc/ and sys/ for tests. */
void procfs_set_root(const char *root);

/* The root with `path` behind it, which starts with '/'. Valid until the next call. */
const char *procfs_path(const char *path);

/* Read a whole file of proc or sys; `text` is emptied first. Returns 0 or the errno. */
int procfs_read(struct text *text, const char *path);

/* The same for /proc/PID/NAME. */
int procfs_read_of(struct text *text, pid_t pid, const char *name);

/* Read status and stat. Returns 0 or the errno; ESRCH when there is no such process. */
int procfs_process(pid_t pid, struct process *process);

/* Read smaps, or maps if smaps is not allowed. Returns 0 or the errno. */
int procfs_mappings(pid_t pid, struct mappings *mappings);
void procfs_mappings_free(struct mappings *mappings);

/* A "Name:  123 kB" line of a text, in bytes; 0 if it is not there. */
uint64_t procfs_kib_line(const char *text, const char *name);

/* Which pages of [start, end) are resident: one byte per page, 1 or 0.  NULL if not readable. */
uint8_t *procfs_resident_pages(pid_t pid, uint64_t start, uint64_t end);

/* Process ids in /proc, ascending; ends with 0. */
pid_t *procfs_pids(void);

#endif
