/* options.h - the options of every command, in one table. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/render/text.h"

#include <stdint.h>

enum option_id {
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_JSON,
    OPTION_OUTPUT,
    OPTION_COLOUR,
    OPTION_EXPLAIN,
    OPTION_STATS,
    OPTION_TIMELINE,
    OPTION_PROFILE,
    OPTION_LIMIT,
    OPTION_COMPARE,
    OPTION_BATCH,
    OPTION_COUNT_OF_ROUNDS,
    OPTION_DELAY,
    OPTION_SVG,
    OPTION_AUTO,
    OPTION_LANGUAGE,
    OPTION_OPENMETRICS,
    OPTION_COUNT,
};

struct options {
    uint32_t given;                   // [const] bit per enum option_id
    const char *values[OPTION_COUNT]; // [const] arguments as typed; NULL if not given
    uint64_t limit_bytes;             // [const] --limit; 0: none
    double delay_seconds;             // [const] -d
    uint64_t rounds;                  // [const] -n; 0: until interrupted
    bool is_coloured;                 // [const] data on `out` may hold colour escapes
    FILE *out;                        // [const] -o FILE, else stdout
};

typedef int (*command_function)(const struct options *options, char **words);

struct command {
    const char *name;
    const char *arguments; // as shown by --help: "PID"
    const char *summary;   // one line
    uint32_t accepted;     // bit per enum option_id; --help and --version always are
    int words_min;         // words that must follow the options
    int words_max;
    bool takes_program; // the first word ends our options: the rest belongs to the program
    command_function run;
    void (*check)(const struct options *options, char **words); // before -o is opened; NULL: none
};

static inline bool option_is_given(const struct options *options, enum option_id id)
{
    return (options->given >> id & 1) != 0;
}

/* Parse `argv` (argv[0] is the command's name).  Returns the words, ended by NULL; dies with usage
 * and TOOL_USAGE; prints the help and exits when asked for it. */
char **options_parse(const struct command *command, char **argv, struct options *options);

/* The width of the terminal; 80 when it is not known. */
unsigned options_columns(void);

/* Append the help of a command. */
void options_put_help(struct text *out, const struct command *command);

#endif
