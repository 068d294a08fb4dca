/* look.h - the state of a heap at this moment, counted by us in the memory of its process. */
#ifndef CLI_PROCFS_LOOK_H
#define CLI_PROCFS_LOOK_H

#include "cli/procfs/live_page.h"

/* Where the blocks of one size class are; counts of blocks. */
struct look_class {
    uint64_t slab_bytes; // [const] of one slab
    uint64_t made;       // [owner] blocks that were carved, and whose pages were not purged
    uint64_t at_home;    // [owner] of these, free in their slabs
    uint64_t in_slots;   // [owner] free in magazines of CPUs or threads
    uint64_t in_depots;  // [owner] free in magazines that wait for them
};

struct look {
    bool is_now;           // [const] the page's counts were counted by us, just now
    bool is_still;         // [const] and twice in a row they were the same
    bool has_history;      // [const] the page is the library's: it has events, peaks and calls
    uint64_t kept_mapping; // [const] bytes of freed mappings kept for the next huge block
    uint64_t pinned_bytes; // [const] free in the region below its last block in use
    struct look_class classes[MYALLOC_LIVE_CLASSES_MAX];
};

/* The live page of a process, with the counts of this moment put in where its memory may be read.
 * Without a live page one is made of what the memory tells.  NULL and a sentence: neither. */
struct myalloc_live *look_at(const struct process *process, struct look *look, const char **why);

/* Bytes that malloc_trim would give back of slabs and free spans; false: that cannot be told. */
bool look_trim(const struct process *process, uint64_t *bytes);

/* The same as look_at, and sees whether anything changed meanwhile: look->is_still. */
struct myalloc_live *look_twice(const struct process *process, struct look *look, const char **why);

#endif
