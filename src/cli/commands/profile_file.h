/* profile_file.h - heap profiles as tables, folded stacks, pages, and in pprof's form. */
#ifndef CLI_COMMANDS_PROFILE_FILE_H
#define CLI_COMMANDS_PROFILE_FILE_H

#include "cli/options.h"

/* Show the profile `path`: as a table, or in the form that the name behind -o asks for: .html,
 * .folded, .pb.gz (pprof), .heap (as it is). Returns the exit code. */
int profile_file_show(const struct options *options, const char *path);
/* The same into the file `to`; on stderr what was written. */
int profile_file_convert(const char *path, const char *to);
/* What grew and what shrank from `a` to `b`; behind -o, .html, .folded and .pb.gz are of the
 * growth. */
int profile_file_compare(const struct options *options, const char *a, const char *b);
/* Dies unless the form of this name is known. */
void profile_file_check_name(const char *to);
/* The same for what a comparison can be. */
void profile_file_check_comparison(const char *to);

#endif
