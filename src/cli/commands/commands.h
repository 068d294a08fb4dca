/* commands.h - the commands; each takes its options and words and returns the exit code. */
#ifndef CLI_COMMANDS_COMMANDS_H
#define CLI_COMMANDS_COMMANDS_H

#include "cli/options.h"

int cmd_run(const struct options *options, char **words);
int cmd_record(const struct options *options, char **words);
int cmd_maps(const struct options *options, char **words);
int cmd_watch(const struct options *options, char **words);
int cmd_top(const struct options *options, char **words);
int cmd_heap(const struct options *options, char **words);
int cmd_lab(const struct options *options, char **words);
int cmd_profile(const struct options *options, char **words);
int cmd_purge(const struct options *options, char **words);
void cmd_profile_check(const struct options *options, char **words); // before -o is opened
int cmd_diff(const struct options *options, char **words);
int cmd_check(const struct options *options, char **words);
int cmd_doctor(const struct options *options, char **words);

#endif
