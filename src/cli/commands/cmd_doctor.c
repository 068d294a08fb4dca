/* cmd_doctor.c - `myalloc doctor`: the settings of the system that matter to an allocator.
 *
 * Owns:       the list of settings and what is good about each value.
 * Threads:    one.
 * Invariants: DOCTOR-1  a setting that cannot be read is reported as unknown, never as good.
 *             DOCTOR-2  exit TOOL_NO only for a PROBLEM: something that makes programs fail.
 */
#include "cli/commands/commands.h"

#include "cli/render/json.h"
#include "cli/commands/preload.h"
#include "cli/procfs/procfs.h"
#include "cli/render/table.h"
#include "cli/tool.h"
#include "cli/render/units.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <unistd.h>

// PR_SET_VMA and PR_SET_VMA_ANON_NAME of linux/prctl.h since 5.17; Debian 12's libc lacks them.
#define SET_VMA      0x53564d41
#define SET_VMA_NAME 0

enum grade { GRADE_GOOD, GRADE_NOTE, GRADE_PROBLEM, GRADE_UNKNOWN };

struct finding {
    enum grade grade;
    const char *name;
    char value[96];
    const char *advice;
};

struct findings {
    struct finding array[16];
    size_t count;
};

static void add(struct findings *findings, enum grade grade, const char *name, const char *value,
                const char *advice)
{
    struct finding *const finding = &findings->array[findings->count++];
    *finding = (struct finding){.grade = grade, .name = name, .advice = advice};
    snprintf(finding->value, sizeof(finding->value), "%s", value);
}

/* The first line of a file of proc or sys; false, with a finding added, if it cannot be read. */
static bool setting(struct findings *findings, const char *path, char *value, size_t room)
{
    struct text text = {0};
    const bool is_read = procfs_read(&text, path) == 0;
    snprintf(value, room, "%.*s", (int)strcspn(text_string(&text), "\n"), text_string(&text));
    text_make_printable(value);
    if (!is_read) {
        add(findings, GRADE_UNKNOWN, path, "not readable", "This kernel has no such setting.");
    }
    text_free(&text);
    return is_read;
}

static void examine_overcommit(struct findings *findings)
{
    char value[80];
    static const char path[] = "/proc/sys/vm/overcommit_memory";
    if (setting(findings, path, value, sizeof(value))) {
        const bool is_strict = strcmp(value, "2") == 0;
        add(findings, is_strict ? GRADE_NOTE : GRADE_GOOD, path, value,
            is_strict ? "Strict: memory that is reserved counts at once; malloc can fail early."
                      : "Reserving addresses costs nothing; memory counts when it is touched.");
    }
}

static void examine_map_count(struct findings *findings)
{
    char value[80];
    static const char path[] = "/proc/sys/vm/max_map_count";
    if (setting(findings, path, value, sizeof(value))) {
        const bool is_enough = strtoull(value, NULL, 10) >= 65530;
        add(findings, is_enough ? GRADE_GOOD : GRADE_PROBLEM, path, value,
            is_enough ? "Enough mappings for one per huge block."
                      : "Below the default 65530: mmap fails early with many huge blocks.");
    }
}

static void examine_huge_pages(struct findings *findings)
{
    char value[80];
    static const char path[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    if (setting(findings, path, value, sizeof(value))) {
        const bool is_always = strstr(value, "[always]") != NULL;
        const bool is_never = strstr(value, "[never]") != NULL;
        add(findings, is_always || is_never ? GRADE_NOTE : GRADE_GOOD, path, value,
            is_always  ? "Always: RSS grows in steps of 2 MiB; read Anonymous and AnonHugePages."
            : is_never ? "Never: large heaps pay one page fault per 4 KiB."
                       : "Large heaps may ask for huge pages, small ones are left alone.");
    }
}

static void examine_randomization(struct findings *findings)
{
    char value[80];
    static const char path[] = "/proc/sys/kernel/randomize_va_space";
    if (setting(findings, path, value, sizeof(value))) {
        const bool is_full = strcmp(value, "2") == 0;
        add(findings, is_full ? GRADE_GOOD : GRADE_NOTE, path, value,
            is_full ? "Stack, libraries and the break lie elsewhere in every run."
                    : "The break or everything lies at the same place in every run.");
    }
}

static void examine_limit(struct findings *findings, __rlimit_resource_t resource, const char *name,
                          const char *advice)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return;
    }
    const bool is_free = limit.rlim_cur == RLIM_INFINITY;
    add(findings, is_free ? GRADE_GOOD : GRADE_NOTE, name,
        is_free ? "unlimited" : units_bytes(limit.rlim_cur).chars, is_free ? "No limit." : advice);
}

static void examine_names(struct findings *findings)
{
    void *const page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return;
    }
    const bool works = prctl(SET_VMA, SET_VMA_NAME, page, 4096, "myalloc") == 0;
    munmap(page, 4096);
    add(findings, works ? GRADE_GOOD : GRADE_NOTE, "names of anonymous mappings",
        works ? "supported" : "not in this kernel",
        works ? "/proc/PID/maps shows what the library mapped."
              : "/proc/PID/maps shows no names; `myalloc maps` takes them from the live page.");
}

static void examine_library(struct findings *findings)
{
    struct text path = {0};
    const bool is_found = preload_find_library(&path);
    add(findings, is_found ? GRADE_GOOD : GRADE_PROBLEM, "libmyalloc.so", text_string(&path),
        is_found ? "`myalloc run` will use it." : "Not there: build it, or set MYALLOC_LIB.");
    text_free(&path);
}

static void examine_live_directory(struct findings *findings)
{
    const char *const runtime = getenv("XDG_RUNTIME_DIR");
    const bool is_usable = runtime != NULL && access(runtime, W_OK | X_OK) == 0;
    const char *const place = is_usable ? runtime : "/dev/shm";
    const bool works = access(place, W_OK | X_OK) == 0;
    add(findings, works ? GRADE_GOOD : GRADE_PROBLEM, "directory of live pages", place,
        works ? "Live pages can be made." : "Not writable: there are no live pages.");
}

static const char *const g_grade_names[] = {"good", "note", "problem", "unknown"};

static void put_json(struct text *out, const struct findings *findings)
{
    struct json json = {.out = out};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_open(&json, "findings", '[');
    for (size_t i = 0; i < findings->count; i++) {
        json_open(&json, NULL, '{');
        json_string(&json, "grade", g_grade_names[findings->array[i].grade]);
        json_string(&json, "name", findings->array[i].name);
        json_string(&json, "value", findings->array[i].value);
        json_string(&json, "advice", findings->array[i].advice);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    text_put_char(out, '\n');
}

static void put_text(struct text *out, const struct findings *findings, bool coloured)
{
    static const enum colour colours[] = {COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED, COLOUR_DIM};
    struct table table;
    table_init(&table, "lll");
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *const finding = &findings->array[i];
        table_cell(&table, colours[finding->grade], "%s", g_grade_names[finding->grade]);
        table_cell(&table, COLOUR_NONE, "%s", finding->name);
        table_cell(&table, COLOUR_BOLD, "%s", finding->value);
        struct text advice = {0};
        text_printf(&advice, "         %s", finding->advice);
        table_line(&table, COLOUR_DIM, text_string(&advice));
        text_free(&advice);
    }
    table_print(&table, out, coloured);
}

int cmd_doctor(const struct options *options, char **words)
{
    (void)words;
    struct findings findings = {0};
    examine_overcommit(&findings);
    examine_map_count(&findings);
    examine_huge_pages(&findings);
    examine_randomization(&findings);
    examine_limit(&findings, RLIMIT_AS, "limit of address space (ulimit -v)",
                  "Reserved addresses count; the library makes its tables smaller.");
    examine_limit(&findings, RLIMIT_DATA, "limit of data (ulimit -d)",
                  "brk and private mappings end here; malloc then returns NULL.");
    examine_names(&findings);
    examine_live_directory(&findings);
    examine_library(&findings);
    bool has_problem = false;
    for (size_t i = 0; i < findings.count; i++) {
        has_problem = has_problem || findings.array[i].grade == GRADE_PROBLEM;
    }
    struct text out = {0};
    if (option_is_given(options, OPTION_JSON)) {
        put_json(&out, &findings);
    } else {
        put_text(&out, &findings, options->is_coloured);
    }
    text_write(&out, options->out);
    text_free(&out);
    return has_problem ? TOOL_NO : TOOL_OK;
}
