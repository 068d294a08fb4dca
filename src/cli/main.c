/* main.c - the myalloc command: pick the command, give it its options.
 *
 * Owns:       the table of commands.
 * Threads:    one.
 * Invariants: MAIN-1  data goes to stdout (or -o FILE), talk to stderr.
 *             MAIN-2  exit codes are those of tool.h; `run` passes on the code of its program.
 */
#include "cli/commands/commands.h"
#include "cli/procfs/procfs.h"
#include "cli/tool.h"

#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIT(id) (1u << (id))
#define COMMON  (BIT(OPTION_JSON) | BIT(OPTION_OUTPUT) | BIT(OPTION_COLOUR))
#define ROUNDS  (BIT(OPTION_COUNT_OF_ROUNDS) | BIT(OPTION_DELAY))

static const struct command g_commands[] = {
    {"run", "[--] CMD [ARG...]", "Run CMD under the library and sum up what its heap did.",
     COMMON | BIT(OPTION_STATS) | BIT(OPTION_TIMELINE) | BIT(OPTION_PROFILE) | BIT(OPTION_LIMIT) |
         BIT(OPTION_COMPARE),
     1, INT_MAX, true, cmd_run, NULL},
    {"record", "[--] CMD [ARG...]", "Record every allocation of CMD into -o FILE, to be replayed.",
     BIT(OPTION_OUTPUT) | BIT(OPTION_JSON), 1, INT_MAX, true, cmd_record, NULL},
    {"maps", "PID", "Show the address space of any process, grouped.",
     COMMON | BIT(OPTION_EXPLAIN) | BIT(OPTION_SVG), 1, 1, false, cmd_maps, NULL},
    {"watch", "PID", "Follow heap, mappings and resident memory of any process.",
     COMMON | ROUNDS | BIT(OPTION_TIMELINE) | BIT(OPTION_BATCH), 1, 1, false, cmd_watch, NULL},
    {"top", "", "List the processes under the library, refreshed.",
     COMMON | ROUNDS | BIT(OPTION_BATCH) | BIT(OPTION_OPENMETRICS), 0, 0, false, cmd_top, NULL},
    {"heap", "PID", "Show size classes and page occupancy: why memory is not given back.",
     COMMON | BIT(OPTION_SVG), 1, 1, false, cmd_heap, NULL},
    {"profile", "PID VERB|FILE...",
     "See who allocates: start, stop or dump it in a process; or show files.",
     BIT(OPTION_OUTPUT) | BIT(OPTION_COLOUR), 1, 2, false, cmd_profile, cmd_profile_check},
    {"purge", "PID", "Have a process give back the memory that it does not use.", COMMON, 1, 1,
     false, cmd_purge, NULL},
    {"diff", "A.json B.json", "Compare two JSON files of these commands: what grew, what shrank.",
     COMMON | BIT(OPTION_STATS), 2, 2, false, cmd_diff, NULL},
    {"lab", "NAME", "Do an experiment: layout, brk, mmap, pool, heap or fit.",
     COMMON | BIT(OPTION_AUTO) | BIT(OPTION_DELAY) | BIT(OPTION_LANGUAGE), 1, 1, false, cmd_lab,
     NULL},
    {"check", "PROG", "Tell whether the library will work in a program, and why not.", COMMON, 1, 1,
     false, cmd_check, NULL},
    {"doctor", "", "Check the settings of the system that matter to an allocator.", COMMON, 0, 0,
     false, cmd_doctor, NULL},
};
#define COMMAND_COUNT (sizeof(g_commands) / sizeof(g_commands[0]))

static int show_help(void)
{
    struct text out = {0};
    text_put(&out, "Usage: myalloc COMMAND [OPTION...] [WORD...]\n"
                   "See the memory of programs, under libmyalloc.so or not.\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        text_printf(&out, "  %-7s %-18s %s\n", g_commands[i].name, g_commands[i].arguments,
                    g_commands[i].summary);
    }
    text_put(&out, "\nExamples:\n"
                   "  myalloc run -- python3 script.py   run under the library, then sum up\n"
                   "  myalloc maps --explain $$          what the memory of this shell is\n"
                   "  myalloc lab heap                   see malloc and free move the heap\n"
                   "\nmyalloc COMMAND --help tells the options; myalloc(1) tells all.\n");
    text_set_width(options_columns());
    text_write(&out, stdout);
    return TOOL_OK;
}

/* What is closed would be the next pipe or file that is opened. Still nothing can be written there,
 * and programs that are run find it closed. */
static void occupy_standard_descriptors(void)
{
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO) {
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    if (fd > STDERR_FILENO) {
        close(fd);
    }
}

int main(int argc, char **argv)
{
    occupy_standard_descriptors();
    setlocale(LC_CTYPE, "");
    const char *const root = getenv("MYALLOC_PROC_ROOT");
    procfs_set_root(root != NULL ? root : "");
    const char *const name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return show_help();
    }
    if (strcmp(name, "--version") == 0) {
        puts("myalloc " TOOL_VERSION);
        return TOOL_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, g_commands[i].name) == 0) {
            struct options options;
            char **const words = options_parse(&g_commands[i], argv + 1, &options);
            const int code = g_commands[i].run(&options, words);
            if (fflush(options.out) != 0) {
                tool_die(TOOL_FAILED, "cannot write the output");
            }
            free(words);
            return code;
        }
    }
    if (argc > 1) {
        tool_warn("%s is no command; see myalloc --help", name);
    } else {
        tool_warn("want a command; see myalloc --help");
    }
    return TOOL_USAGE;
}
