/* summary.h - what a program's memory did, after its end. */
#ifndef CLI_COMMANDS_SUMMARY_H
#define CLI_COMMANDS_SUMMARY_H

#include "cli/commands/launch.h"
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
void summary_put_classes(struct text *out, const struct myalloc_live *page, bool coloured);

#endif
