/* cmd_lab.c - `myalloc lab NAME`: pick the experiment; the voice of all of them.
 *
 * Owns:       the list of experiments, the last mappings that were read.
 * Threads:    one.
 * Invariants: LAB-1  every number shown was measured in this run, on this machine.
 *             LAB-2  without a terminal on both sides nobody is waited for.
 */
#include "cli/commands/commands.h"

#include "cli/render/json.h"
#include "cli/lab/lab.h"
#include "cli/render/table.h"
#include "cli/tool.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LINE_COLUMNS 80

static struct {
    struct mappings mappings; // [owner] of this process, when lab_find_mapping was called last
} g_lab;

static const struct {
    const char *name;
    int (*run)(struct lab *lab);
    const char *english;
    const char *korean;
} g_labs[] = {
    {"layout", lab_layout, "where text, data, bss, heap and stack lie",
     "text, data, bss, heap, stack은 어디에 있는가"},
    {"brk", lab_brk, "moving the program break", "프로그램 브레이크 옮기기"},
    {"mmap", lab_mmap, "mappings: anonymous and file, private and shared",
     "매핑: 익명과 파일, 전용(private)과 공유(shared)"},
    {"pool", lab_pool, "a pool of blocks on sbrk", "sbrk로 만드는 블록 풀"},
    {"heap", lab_heap, "what malloc and free do to the heap", "malloc과 free가 힙에 하는 일"},
    {"fit", lab_fit, "first, best and segregated fit, and coalescing",
     "최초 적합, 최적 적합, 분리 적합, 그리고 병합"},
};
#define LAB_COUNT (sizeof(g_labs) / sizeof(g_labs[0]))

/* Where to look from a second terminal, as long as there is time to. */
static void put_processes(struct lab *lab, struct text *out)
{
    text_put(out, "\n[PID");
    for (size_t i = 0; i < sizeof(lab->pids) / sizeof(lab->pids[0]) && lab->pids[i] != 0; i++) {
        text_printf(out, " %d", (int)lab->pids[i]);
    }
    text_printf(out,
                lab->is_korean ? "; 다른 터미널에서: myalloc maps %d]"
                               : "; from another terminal: myalloc maps %d]",
                (int)lab->pids[0]);
}

void lab_wait(struct lab *lab)
{
    struct text out = {0};
    if (lab->is_automatic && lab->pause_seconds <= 0) {
        return;
    }
    put_processes(lab, &out);
    if (lab->pause_seconds > 0) {
        text_put_char(&out, '\n');
    } else {
        text_put(&out, lab->is_korean ? " [Enter] 계속 " : " [Enter] go on ");
    }
    text_write(&out, lab->is_json ? stderr : lab->out);
    text_free(&out);
    if (lab->pause_seconds > 0) {
        tool_sleep(lab->pause_seconds);
        return;
    }
    int c = 0;
    while (c != '\n' && c != EOF) {
        c = getchar();
    }
    lab->is_automatic = c == EOF;
}

/* What text would show, as an object of the step. */
static void write_json(struct lab *lab, const char *key, const char *string)
{
    struct text out = {0};
    struct json json = {.out = &out};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_number(&json, "step", lab->step);
    json_string(&json, key, string);
    json_close(&json, '}');
    text_put_char(&out, '\n');
    text_write(&out, lab->out);
    text_free(&out);
}

void lab_step(struct lab *lab, const char *format, ...)
{
    if (lab->step++ != 0) {
        lab_wait(lab);
    }
    struct text out = {0};
    struct text head = {0};
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (lab->is_json) {
        write_json(lab, "title", line);
        return;
    }
    text_printf(&head, "%u. %s", lab->step, line);
    text_put_char(&out, '\n');
    table_put_coloured(&out, lab->is_coloured, COLOUR_BOLD, text_string(&head));
    text_put_char(&out, '\n');
    text_write(&out, lab->out);
    text_free(&head);
    text_free(&out);
}

void lab_show(struct lab *lab, const char *format, ...)
{
    struct text out = {0};
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (lab->is_json) {
        write_json(lab, "shown", line);
        return;
    }
    text_put(&out, "     ");
    table_put_coloured(&out, lab->is_coloured, COLOUR_CYAN, line);
    text_put_char(&out, '\n');
    text_write(&out, lab->out);
    text_free(&out);
}

void lab_say(struct lab *lab, const char *format, ...)
{
    char paragraph[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(paragraph, sizeof(paragraph), format, arguments);
    va_end(arguments);
    if (lab->is_json) {
        write_json(lab, "said", paragraph);
        return;
    }
    struct text out = {0};
    size_t column = LINE_COLUMNS;
    char *rest = NULL;
    for (char *word = strtok_r(paragraph, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        const size_t columns = text_columns(word);
        const bool breaks = column + 1 + columns > LINE_COLUMNS;
        text_put(&out, breaks ? (out.bytes != 0 ? "\n   " : "   ") : " ");
        column = breaks ? 3 + columns : column + 1 + columns;
        text_put(&out, word);
    }
    text_put_char(&out, '\n');
    text_write(&out, lab->out);
    text_free(&out);
}

const struct mapping *lab_find_mapping(const void *address)
{
    procfs_mappings_free(&g_lab.mappings);
    if (procfs_mappings(getpid(), &g_lab.mappings) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < g_lab.mappings.count; i++) {
        const struct mapping *const mapping = &g_lab.mappings.array[i];
        if ((uintptr_t)address >= mapping->start && (uintptr_t)address < mapping->end) {
            return mapping;
        }
    }
    return NULL;
}

uint64_t lab_resident_bytes(void)
{
    char line[128] = "";
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ssize_t length = read(fd, line, sizeof(line) - 1);
        line[length > 0 ? length : 0] = 0;
        close(fd);
    }
    const char *const resident = strchr(line, ' ');
    return resident != NULL ? strtoull(resident, NULL, 10) * 4096 : 0;
}

uint64_t lab_page_faults(void)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt;
}

static bool is_korean(const struct options *options)
{
    const char *language = options->values[OPTION_LANGUAGE];
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < 3 && (language == NULL || language[0] == 0); i++) {
        language = getenv(names[i]);
    }
    return language != NULL && strncmp(language, "ko", 2) == 0;
}

static void introduce(struct lab *lab, size_t i)
{
    const char *const about = lab->is_korean ? g_labs[i].korean : g_labs[i].english;
    if (lab->is_json) {
        write_json(lab, "lab", about);
    } else {
        struct text out = {0};
        text_printf(&out, "myalloc lab %s: %s\n", g_labs[i].name, about);
        text_write(&out, lab->out);
        text_free(&out);
    }
}

int cmd_lab(const struct options *options, char **words)
{
    if (strcmp(words[0], "heap-subject") == 0) {
        return lab_heap_subject();
    }
    procfs_set_root("/"); // LAB-1
    text_set_width(0);    // pictures are drawn as they are
    struct lab lab = {
        .out = options->out,
        .pids = {getpid()},
        .pause_seconds = option_is_given(options, OPTION_DELAY) ? options->delay_seconds : 0,
        .is_korean = is_korean(options),
        .is_coloured = options->is_coloured,
        .is_json = option_is_given(options, OPTION_JSON),
        .is_automatic = option_is_given(options, OPTION_AUTO) ||
                        option_is_given(options, OPTION_JSON) || isatty(STDIN_FILENO) == 0 ||
                        isatty(fileno(options->out)) == 0, // LAB-2
    };
    for (size_t i = 0; i < LAB_COUNT; i++) {
        if (strcmp(words[0], g_labs[i].name) == 0) {
            introduce(&lab, i);
            const int code = g_labs[i].run(&lab);
            procfs_mappings_free(&g_lab.mappings);
            return code;
        }
    }
    tool_warn("%s is no experiment; there are layout, brk, mmap, pool, heap and fit", words[0]);
    return TOOL_USAGE;
}
