/* cmd_diff.c - `myalloc diff A B`: what changed between two runs or two looks.
 *
 * Owns:       which numbers say nothing when they differ.
 * Threads:    one.
 * Invariants: DIFF-1  only numbers that differ are shown; a number that one side lacks counts as
 *                     one that differs.
 */
#include "cli/commands/commands.h"

#include "cli/render/json.h"
#include "cli/render/numbers.h"
#include "cli/render/table.h"
#include "cli/tool.h"
#include "cli/render/units.h"

#include <string.h>

#define JSON_BYTES_MAX 67108864u          // a snapshot has some KiB
#define WHOLE_MAX      9.2e18             // below 2^63
#define EXACT_MAX      9007199254740992.0 // 2^53: whole numbers below are exact in a double

enum unit { UNIT_COUNT, UNIT_BYTES, UNIT_TIME };

struct side {
    const char *path;       // [const]
    struct numbers numbers; // [owner]
};

struct change {
    const char *name;
    const struct number *a; // NULL: not there
    const struct number *b;
};

static bool ends_with(const char *string, const char *end)
{
    const size_t bytes = strlen(string);
    const size_t end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(string + bytes - end_bytes, end) == 0;
}

static bool is_one_of(const char *name, const char *const *list)
{
    while (*list != NULL && strcmp(name, *list) != 0) {
        list++;
    }
    return *list != NULL;
}

/* By the suffixes of our names; the statistics at exit say "in bytes" once for all. */
static enum unit unit_of(const char *name)
{
    static const char *const statistics[] = {
        "live",        "cached", "free_dirty", "free_clean",  "brk",          "mapped",
        "region_peak", "huge",   "huge_peak",  "huge_cached", "purged_total", NULL};
    if (ends_with(name, "_bytes") || strcmp(name, "bytes") == 0 ||
        strncmp(name, "bytes_by_kind.", 14) == 0 || is_one_of(name, statistics)) {
        return UNIT_BYTES;
    }
    return ends_with(name, "_ns") ? UNIT_TIME : UNIT_COUNT;
}

/* Names of processes, and places in time and memory, differ always. */
static bool is_meaningless(const char *name)
{
    static const char *const names[] = {"schema",  "pid",        "run.pid", "without.pid",
                                        "process", "base",       "start",   "pin_address",
                                        "time_ns", "counted_ns", "events",  NULL};
    return is_one_of(name, names) || ends_with(name, ".start");
}

/* The numbers of size classes and regions: many, and the sums above tell most of it. */
static bool is_detail(const char *name)
{
    return strchr(name, '[') != NULL;
}

/* A file may hold any number. */
static uint64_t whole(double value)
{
    return value <= 0.0 ? 0 : value < WHOLE_MAX ? (uint64_t)value : (uint64_t)WHOLE_MAX;
}

static void put_value(struct table *table, const struct number *number, enum unit unit)
{
    if (number == NULL) {
        table_cell(table, COLOUR_DIM, "-");
        return;
    }
    const uint64_t value = whole(number->value);
    table_cell(table, COLOUR_NONE, "%s",
               unit == UNIT_BYTES  ? units_bytes(value).chars
               : unit == UNIT_TIME ? units_ns(value).chars
                                   : units_count(value).chars);
}

static void put_change(struct table *table, const struct change *change, enum unit unit)
{
    if (change->a == NULL || change->b == NULL) {
        table_cell(table, COLOUR_DIM, "-");
        table_cell(table, COLOUR_DIM, "-");
        return;
    }
    const double by = change->b->value - change->a->value;
    const uint64_t bytes = whole(by < 0 ? -by : by);
    table_cell(table, COLOUR_NONE, "%c%s", by < 0 ? '-' : '+',
               unit == UNIT_BYTES  ? units_bytes(bytes).chars
               : unit == UNIT_TIME ? units_ns(bytes).chars
                                   : units_count(bytes).chars);
    if (change->a->value <= 0) {
        table_cell(table, COLOUR_DIM, "-");
        return;
    }
    const double ratio = change->b->value / change->a->value;
    const bool is_cost = unit != UNIT_COUNT;
    table_cell(table,
               is_cost && ratio <= 0.95   ? COLOUR_GREEN
               : is_cost && ratio >= 1.05 ? COLOUR_RED
                                          : COLOUR_NONE,
               "%.2f", ratio);
}

/* DIFF-1: the next change at or behind *at, which walks through A, then through what only B has. */
static bool next_change(const struct side *a, const struct side *b, size_t *at,
                        struct change *change)
{
    for (; *at < a->numbers.count + b->numbers.count; (*at)++) {
        const bool is_of_a = *at < a->numbers.count;
        const struct number *const own =
            is_of_a ? &a->numbers.array[*at] : &b->numbers.array[*at - a->numbers.count];
        const struct number *const other =
            numbers_find(is_of_a ? &b->numbers : &a->numbers, own->name);
        *change = (struct change){
            .name = own->name, .a = is_of_a ? own : other, .b = is_of_a ? other : own};
        const bool differs = other == NULL || (is_of_a && own->value != other->value);
        if (differs && !is_meaningless(own->name)) {
            (*at)++;
            return true;
        }
    }
    return false;
}

static void put_table(struct text *out, const struct side *a, const struct side *b,
                      const struct options *options)
{
    const bool has_details = option_is_given(options, OPTION_STATS);
    struct table table;
    table_init(&table, "lrrrr");
    static const char *const heads[] = {"NUMBER", "A", "B", "CHANGE", "B/A"};
    for (size_t i = 0; i < 5; i++) {
        table_cell(&table, COLOUR_BOLD, "%s", heads[i]);
    }
    size_t shown = 0;
    size_t hidden = 0;
    struct change change;
    for (size_t at = 0; next_change(a, b, &at, &change);) {
        if (is_detail(change.name) && !has_details) {
            hidden++;
            continue;
        }
        const enum unit unit = unit_of(change.name);
        table_cell(&table, COLOUR_NONE, "%s", change.name);
        put_value(&table, change.a, unit);
        put_value(&table, change.b, unit);
        put_change(&table, &change, unit);
        shown++;
    }
    text_printf(out, "A is %s, B is %s\n\n", a->path, b->path);
    struct text rows = {0};
    table_print(&table, &rows, options->is_coloured);
    text_put(out, shown != 0 ? text_string(&rows) : "no number differs\n");
    text_free(&rows);
    if (hidden != 0) {
        text_printf(out,
                    "\n%zu numbers of size classes or regions differ, too; --stats shows them\n",
                    hidden);
    }
}

static void json_value(struct json *json, const char *key, const struct number *number)
{
    const bool is_whole = number != NULL && number->value >= 0 && number->value < EXACT_MAX &&
                          number->value == (double)whole(number->value);
    if (is_whole) {
        json_number(json, key, (uint64_t)number->value);
    } else if (number != NULL) {
        json_real(json, key, number->value);
    }
}

static void put_json(struct text *out, const struct side *a, const struct side *b)
{
    struct json json = {.out = out};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_string(&json, "a", a->path);
    json_string(&json, "b", b->path);
    json_open(&json, "changes", '[');
    struct change change;
    for (size_t at = 0; next_change(a, b, &at, &change);) {
        json_open(&json, NULL, '{');
        json_string(&json, "name", change.name);
        json_value(&json, "a", change.a);
        json_value(&json, "b", change.b);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    text_put_char(out, '\n');
}

static bool read_side(struct side *side, const char *path)
{
    struct text json = {0};
    struct text why = {0};
    *side = (struct side){.path = path};
    const int error = text_read_path(&json, path, JSON_BYTES_MAX);
    if (error != 0) {
        tool_warn("%s: %s", path, strerror(error));
    } else if (!numbers_read(&side->numbers, text_string(&json), &why)) {
        tool_warn("%s: %s; want what a command of myalloc wrote with --json", path,
                  text_string(&why));
    }
    const bool is_read = error == 0 && why.bytes == 0;
    text_free(&json);
    text_free(&why);
    return is_read;
}

int cmd_diff(const struct options *options, char **words)
{
    struct side a;
    struct side b = {0};
    const bool is_read = read_side(&a, words[0]) && read_side(&b, words[1]);
    if (is_read) {
        struct text out = {0};
        if (option_is_given(options, OPTION_JSON)) {
            put_json(&out, &a, &b);
        } else {
            put_table(&out, &a, &b, options);
        }
        text_write(&out, options->out);
        text_free(&out);
    }
    numbers_free(&a.numbers);
    numbers_free(&b.numbers);
    return is_read ? TOOL_OK : TOOL_NO;
}
