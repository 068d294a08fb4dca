/* options.c - one row per option makes the parser, the checks and the help of every command.
 *
 * Owns:       the option table.
 * Threads:    one.
 * Invariants: OPTIONS-1  a mistake on the command line is named in one sentence, exit TOOL_USAGE.
 *             OPTIONS-2  colour only on a terminal that wants it: --color, else CLICOLOR_FORCE,
 *                        else NO_COLOR and TERM=dumb forbid it.
 */
#include "cli/options.h"

#include "cli/tool.h"
#include "cli/render/units.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_USUAL 80u
#define COLUMNS_MIN   40u // below, every word would have a line of its own
#define LONG_ONLY     256 // getopt values of options without a letter start here

static const struct {
    const char *name;
    char letter;          // 0: none
    const char *argument; // NULL: takes none
    const char *help;
} g_option_rows[OPTION_COUNT] = {
    [OPTION_HELP] = {"help", 'h', NULL, "show this text"},
    [OPTION_VERSION] = {"version", 0, NULL, "show the version"},
    [OPTION_JSON] = {"json", 0, NULL, "print JSON, one object per line"},
    [OPTION_OUTPUT] = {"output", 'o', "FILE", "write the data to FILE"},
    [OPTION_COLOUR] = {"color", 0, "WHEN", "auto, always or never"},
    [OPTION_EXPLAIN] = {"explain", 'e', NULL, "say in a sentence what each region is"},
    [OPTION_STATS] = {"stats", 's', NULL, "also print size classes and caches"},
    [OPTION_TIMELINE] = {"timeline", 't', "FILE",
                         "write memory against time to FILE (.html, .svg)"},
    [OPTION_PROFILE] = {"profile", 'p', "FILE",
                        "write a heap profile to FILE (.html, .folded, .txt, .pb.gz, .heap)"},
    [OPTION_LIMIT] = {"limit", 'l', "SIZE", "give CMD at most SIZE of data (RLIMIT_DATA)"},
    [OPTION_COMPARE] = {"compare", 'c', NULL, "run CMD without the library, too, and compare"},
    [OPTION_BATCH] = {"batch", 'b', NULL, "plain lines, no screen control"},
    [OPTION_COUNT_OF_ROUNDS] = {"count", 'n', "N", "stop after N rounds"},
    [OPTION_DELAY] = {"delay", 'd', "SECONDS", "time between two rounds, or steps"},
    [OPTION_SVG] = {"svg", 0, "FILE", "write the picture to FILE"},
    [OPTION_AUTO] = {"auto", 'a', NULL, "do not wait for the Enter key"},
    [OPTION_OPENMETRICS] = {"openmetrics", 0, NULL, "print one snapshot for Prometheus"},
    [OPTION_LANGUAGE] = {"lang", 0, "LANG", "ko or en; default from LANG"},
};

static bool is_accepted(const struct command *command, int id)
{
    return id == OPTION_HELP || id == OPTION_VERSION || (command->accepted >> id & 1) != 0;
}

void options_put_help(struct text *out, const struct command *command)
{
    text_printf(out, "Usage: myalloc %s [OPTION...]%s%s\n%s\n\nOptions:\n", command->name,
                command->arguments[0] != '\0' ? " " : "", command->arguments, command->summary);
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (!is_accepted(command, id)) {
            continue;
        }
        const char letter = g_option_rows[id].letter;
        const char *const argument = g_option_rows[id].argument;
        char name[64];
        snprintf(name, sizeof(name), "--%s%s%s", g_option_rows[id].name,
                 argument != NULL ? " " : "", argument != NULL ? argument : "");
        text_printf(out, "  %c%c%c %-17s %s\n", letter != 0 ? '-' : ' ', letter != 0 ? letter : ' ',
                    letter != 0 ? ',' : ' ', name, g_option_rows[id].help);
    }
}

/* What `run` says goes to stderr: stdout is the program's. */
static bool is_coloured(const struct options *options, bool takes_program)
{
    const bool is_talk = takes_program && options->out == stdout;
    const char *const when = options->values[OPTION_COLOUR];
    if (when != NULL && strcmp(when, "auto") != 0) {
        return strcmp(when, "always") == 0;
    }
    const char *const force = getenv("CLICOLOR_FORCE");
    const char *const no_colour = getenv("NO_COLOR");
    const char *const terminal = getenv("TERM");
    if (force != NULL && force[0] != 0 && strcmp(force, "0") != 0) {
        return true;
    }
    return (no_colour == NULL || no_colour[0] == 0) && terminal != NULL &&
           strcmp(terminal, "dumb") != 0 &&
           isatty(is_talk ? STDERR_FILENO : fileno(options->out)) != 0;
}

static _Noreturn void die_value(enum option_id id, const char *value)
{
    tool_die(TOOL_USAGE, "--%s %s: want %s", g_option_rows[id].name, value, g_option_rows[id].help);
}

static void check_values(struct options *options)
{
    const char *const colour = options->values[OPTION_COLOUR];
    if (colour != NULL && strcmp(colour, "auto") != 0 && strcmp(colour, "always") != 0 &&
        strcmp(colour, "never") != 0) {
        die_value(OPTION_COLOUR, colour);
    }
    const char *const language = options->values[OPTION_LANGUAGE];
    if (language != NULL && strcmp(language, "ko") != 0 && strcmp(language, "en") != 0) {
        die_value(OPTION_LANGUAGE, language);
    }
    const char *const limit = options->values[OPTION_LIMIT];
    if (limit != NULL &&
        (!units_parse_bytes(limit, &options->limit_bytes) || options->limit_bytes == 0)) {
        tool_die(TOOL_USAGE, "--limit %s: want a size such as 512M", limit);
    }
    char *end = NULL;
    const char *const rounds = options->values[OPTION_COUNT_OF_ROUNDS];
    if (rounds != NULL) {
        options->rounds = strtoull(rounds, &end, 10);
        if (*end != 0 || options->rounds == 0 || rounds[0] == '-') {
            tool_die(TOOL_USAGE, "--count %s: want a number from 1", rounds);
        }
    }
    const char *const delay = options->values[OPTION_DELAY];
    options->delay_seconds = 1.0;
    if (delay != NULL) {
        options->delay_seconds = strtod(delay, &end);
        if (*end != 0 || !(options->delay_seconds >= 0.001 && options->delay_seconds <= 86400.0)) {
            tool_die(TOOL_USAGE, "--delay %s: want seconds from 0.001 to 86400", delay);
        }
    }
}

/* Before the command works, maybe for hours: what is asked for must be possible. */
static void check_picture(const struct options *options, enum option_id id)
{
    static const char *const others[] = {".png", ".pdf",  ".jpg", ".jpeg", ".gif", ".webp",
                                         ".ps",  ".json", ".csv", ".txt",  ".eps", NULL};
    const char *const path = options->values[id];
    const char *const dot = path != NULL ? strrchr(path, '.') : NULL;
    for (size_t i = 0; dot != NULL && others[i] != NULL; i++) {
        if (strcasecmp(dot, others[i]) == 0) {
            tool_die(TOOL_USAGE, "--%s %s: pictures are written as .svg or .html",
                     g_option_rows[id].name, path);
        }
    }
    FILE *const file = path != NULL ? fopen(path, "ae") : stdout;
    if (file == NULL) {
        tool_die(TOOL_FAILED, "cannot write %s: %s", path, strerror(errno));
    }
    if (path != NULL) {
        fclose(file);
    }
}

static void open_output(struct options *options)
{
    const char *const path = options->values[OPTION_OUTPUT];
    options->out = stdout;
    if (path == NULL) {
        return;
    }
    // Not emptied yet: see text_write.
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    FILE *const file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL) {
        tool_die(TOOL_FAILED, "cannot write %s: %s", path, strerror(errno));
    }
    options->out = file;
}

unsigned options_columns(void)
{
    const char *const given = getenv("COLUMNS");
    const unsigned long wanted = given != NULL ? strtoul(given, NULL, 10) : 0;
    struct winsize size = {0};
    if (wanted == 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
        size.ws_col = 0;
    }
    const unsigned long columns = wanted != 0 ? wanted : size.ws_col;
    return columns == 0 ? COLUMNS_USUAL : columns < COLUMNS_MIN ? COLUMNS_MIN : (unsigned)columns;
}

static void make_getopt_tables(const struct command *command, struct option *rows, char *letters)
{
    *letters++ = command->takes_program ? '+' : '-'; // '-': words come as option 1, in order
    *letters++ = ':';
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (!is_accepted(command, id)) {
            continue;
        }
        const bool has_argument = g_option_rows[id].argument != NULL;
        *rows++ = (struct option){
            .name = g_option_rows[id].name,
            .has_arg = has_argument ? required_argument : no_argument,
            .val = LONG_ONLY + id,
        };
        if (g_option_rows[id].letter != 0) {
            *letters++ = g_option_rows[id].letter;
            *letters = ':';
            letters += has_argument ? 1 : 0;
        }
    }
    *rows = (struct option){0};
    *letters = 0;
}

static int id_of_letter(int letter)
{
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (g_option_rows[id].letter == letter) {
            return id;
        }
    }
    return OPTION_HELP;
}

static _Noreturn void show_help(const struct command *command)
{
    struct text out = {0};
    options_put_help(&out, command);
    text_set_width(options_columns());
    text_write(&out, stdout);
    exit(TOOL_OK);
}

char **options_parse(const struct command *command, char **argv, struct options *options)
{
    *options = (struct options){0};
    struct option rows[OPTION_COUNT + 1];
    char letters[2 * OPTION_COUNT + 3];
    make_getopt_tables(command, rows, letters);
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    char **const words = tool_allocate(((size_t)argc + 1) * sizeof(*words));
    int count = 0;
    opterr = 0;
    for (int found = 0; (found = getopt_long(argc, argv, letters, rows, NULL)) != -1;) {
        if (found == '?' || found == ':') {
            tool_die(TOOL_USAGE, "%s: %s %s; see myalloc %s --help", command->name,
                     found == '?' ? "unknown option" : "no argument for", argv[optind - 1],
                     command->name);
        } else if (found == 1) {
            words[count++] = optarg;
        } else {
            const int id = found >= LONG_ONLY ? found - LONG_ONLY : id_of_letter(found);
            options->given |= 1u << id;
            options->values[id] = optarg;
        }
    }
    while (optind < argc) {
        words[count++] = argv[optind++];
    }
    words[count] = NULL;
    if (option_is_given(options, OPTION_HELP)) {
        show_help(command);
    }
    if (option_is_given(options, OPTION_VERSION)) {
        puts("myalloc " TOOL_VERSION);
        exit(TOOL_OK);
    }
    check_values(options);
    if (count < command->words_min || count > command->words_max) {
        tool_die(TOOL_USAGE, "usage: myalloc %s [OPTION...] %s; see myalloc %s --help",
                 command->name, command->arguments, command->name);
    }
    check_picture(options, OPTION_TIMELINE);
    check_picture(options, OPTION_SVG);
    if (command->check != NULL) {
        command->check(options, words);
    }
    open_output(options);
    const bool is_for_programs =
        option_is_given(options, OPTION_JSON) || option_is_given(options, OPTION_OPENMETRICS);
    text_set_width(is_for_programs ? 0 : options_columns());
    options->is_coloured = is_coloured(options, command->takes_program);
    return words;
}
