/* summary.h - what a program's memory did, after its end. */
#ifndef CLI_COMMANDS_SUMMARY_H
#define CLI_COMMANDS_SUMMARY_H

#include "cli/commands/launch.h"
#include "cli/commands/target.h"
#include "cli/options.h"

/* Append the summary of a run under the library; `name` is the program as typed. */
void summary_put(struct text *out, const char *name, const struct outcome *outcome,
                 const struct options *options);

/* Append two columns: under the library, and without. */
void summary_put_comparison(struct text *out, const struct outcome *ours,
                            const struct outcome *theirs, bool coloured);

/* Append one JSON object; `theirs` is NULL if there was one run only. */
void summary_put_json(struct text *out, const char *name, const struct outcome *ours,
                      const struct outcome *theirs);

/* Append the table of size classes that were used. */
/* Bytes that are free, and yet held. */
struct reasons {
    uint64_t in_slabs;   // between blocks in use
    uint64_t in_slots;   // in the magazines of CPUs or threads
    uint64_t in_depots;  // in magazines that wait for them
    bool knows_trim;     // trim_bytes is there
    uint64_t trim_bytes; // what malloc_trim gives back
    uint64_t trim_min;   // of that, for certain
    uint64_t trim_max;   // and with every page between blocks in use, too
};
void summary_find_reasons(struct reasons *reasons, const struct target *target);

/* How old the counts of a live page are, in a line; nothing where it cannot be told. */
void summary_put_age(struct text *out, const struct target *target);

/* Where memory is that the program does not use, and what malloc_trim could give back of it. */
void summary_put_reasons(struct text *out, const struct target *target);

void summary_put_classes(struct text *out, const struct myalloc_live *page, const struct look *look,
                         bool coloured);

#endif
