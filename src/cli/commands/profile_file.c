/* profile_file.c - heap profiles in the forms that people read.
 *
 * Owns:       the names of all stacks while a profile is shown.
 * Threads:    one.
 * Invariants: FILE-1  stacks with the same functions are one row.
 */
#include "cli/commands/profile_file.h"

#include "cli/commands/frame_name.h"
#include "cli/commands/heap_profile.h"
#include "cli/commands/symbols.h"
#include "cli/render/flame.h"
#include "cli/render/pprof.h"
#include "cli/render/table.h"
#include "cli/render/units.h"
#include "cli/tool.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHOWN_ROWS   20u
#define SHOWN_FRAMES 8u
#define NAME_COLUMNS 36u // at least, and at a width of 80
#define BEFORE_NAME  44u // the numbers

#define BEFORE_PROFILE "[from before the profile began]"

static_assert((int)HEAP_KINDS == (int)FLAME_KINDS, "the same in the same order");

enum form { FORM_TABLE, FORM_HTML, FORM_FOLDED, FORM_PPROF, FORM_HEAP };

static const struct {
    const char *end;
    enum form form;
} g_forms[] = {{".html", FORM_HTML},
               {".folded", FORM_FOLDED},
               {".pb.gz", FORM_PPROF},
               {".heap", FORM_HEAP},
               {".txt", FORM_TABLE}};

static bool form_of(const char *name, enum form *form)
{
    const size_t bytes = strlen(name);
    for (size_t i = 0; i < sizeof(g_forms) / sizeof(g_forms[0]); i++) {
        const size_t end = strlen(g_forms[i].end);
        if (bytes > end && strcmp(name + bytes - end, g_forms[i].end) == 0) {
            *form = g_forms[i].form;
            return true;
        }
    }
    return false;
}

void profile_file_check_name(const char *to)
{
    enum form form;
    if (!form_of(to, &form)) {
        tool_die(TOOL_USAGE, "%s: want a name that ends in .html, .folded, .pb.gz, .heap or .txt",
                 to);
    }
}

/* ---- rows ---- */

struct rows {
    struct flame_row *array; // [owner] the most in use first
    size_t count;
};

static void put_path(struct text *path, struct symbols *symbols, const struct heap_stack *stack)
{
    for (size_t i = stack->count; i-- > 0;) { // the outermost first, so are inlined ones
        const char *const names = symbols_name(symbols, stack->addresses[i]);
        const char *end = names + strlen(names);
        while (end > names) {
            const char *begin = end;
            while (begin > names && begin[-1] != '\n') {
                begin--;
            }
            text_put(path, path->bytes != 0 ? "\n" : "");
            text_put_bytes(path, begin, (size_t)(end - begin));
            end = begin > names ? begin - 1 : begin;
        }
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct flame_row *)a)->path, ((const struct flame_row *)b)->path);
}

static int by_bytes(const void *a, const void *b)
{
    const struct flame_row *const x = a;
    const struct flame_row *const y = b;
    for (unsigned kind = 0; kind < FLAME_KINDS; kind++) {
        if (x->bytes[kind] != y->bytes[kind]) {
            return x->bytes[kind] > y->bytes[kind] ? -1 : 1;
        }
    }
    return by_path(a, b);
}

static void add_row(struct flame_row *to, const struct flame_row *row)
{
    for (unsigned kind = 0; kind < FLAME_KINDS; kind++) {
        to->blocks[kind] += row->blocks[kind];
        to->bytes[kind] += row->bytes[kind];
    }
}

/* FILE-1 */
static void join_rows(struct rows *rows)
{
    size_t kept = 0;
    qsort(rows->array, rows->count, sizeof(*rows->array), by_path);
    for (size_t i = 0; i < rows->count; i++) {
        if (kept != 0 && strcmp(rows->array[kept - 1].path, rows->array[i].path) == 0) {
            add_row(&rows->array[kept - 1], &rows->array[i]);
            free(rows->array[i].path);
        } else {
            rows->array[kept++] = rows->array[i];
        }
    }
    rows->count = kept;
}

static void make_rows(const struct heap_profile *profile, struct rows *rows)
{
    struct symbols *const symbols = symbols_open(&profile->mappings);
    size_t total = 0;
    for (size_t i = 0; i < profile->count; i++) {
        total += profile->stacks[i].count;
    }
    uint64_t *const addresses = tool_allocate((total + 1) * sizeof(*addresses));
    size_t at = 0;
    for (size_t i = 0; i < profile->count; i++) {
        memcpy(addresses + at, profile->stacks[i].addresses,
               profile->stacks[i].count * sizeof(*addresses));
        at += profile->stacks[i].count;
    }
    symbols_look_up(symbols, addresses, total);
    free(addresses);
    rows->array = tool_allocate((profile->count + 2) * sizeof(*rows->array));
    rows->count = 0;
    for (size_t i = 0; i < profile->count; i++) {
        const struct heap_stack *const stack = &profile->stacks[i];
        struct text path = {0};
        put_path(&path, symbols, stack);
        struct flame_row *const row = &rows->array[rows->count++];
        row->path = strdup(text_string(&path));
        for (unsigned kind = 0; kind < FLAME_KINDS; kind++) {
            row->blocks[kind] = stack->counts[kind].blocks;
            row->bytes[kind] = stack->counts[kind].bytes;
        }
        text_free(&path);
    }
    if (profile->before_bytes != 0) {
        const uint64_t bytes = profile->before_bytes;
        rows->array[rows->count++] =
            (struct flame_row){.path = strdup(BEFORE_PROFILE), .bytes = {bytes, bytes, bytes}};
    }
    symbols_close(symbols);
    join_rows(rows);
}

static void free_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->array[i].path);
    }
    free(rows->array);
}

/* ---- forms ---- */

static void put_time(struct text *out, uint64_t seconds)
{
    char time_text[64] = "?";
    const time_t moment = (time_t)seconds;
    struct tm fields;
    if (localtime_r(&moment, &fields) != NULL) {
        strftime(time_text, sizeof(time_text), "%Y-%m-%d %H:%M:%S", &fields);
    }
    text_put(out, time_text);
}

static void put_facts(struct text *out, const struct heap_profile *profile)
{
    const struct heap_count live = heap_profile_sum(profile, HEAP_IN_USE);
    const struct heap_count peak = heap_profile_sum(profile, HEAP_AT_PEAK);
    const struct heap_count total = heap_profile_sum(profile, HEAP_IN_ALL);
    text_printf(out, "Process %" PRIu64 ", ", profile->pid);
    put_time(out, profile->began);
    text_put(out, " to ");
    put_time(out, profile->written);
    text_printf(out, ". In use: %s in %s", units_bytes(live.bytes).chars,
                units_of(live.blocks, "block", "blocks").chars);
    if (profile->before_bytes != 0) {
        text_printf(out, ", and %s from before", units_bytes(profile->before_bytes).chars);
    }
    text_put(out, profile->before_bytes != 0 ? ". At" : "; at");
    text_printf(out, " the peak %s; allocated in all %s. ", units_bytes(peak.bytes).chars,
                units_bytes(total.bytes).chars);
    if (profile->bytes_per_sample > 1) {
        text_printf(out, "About: one block in %s was sampled.",
                    units_bytes(profile->bytes_per_sample).chars);
    } else {
        text_put(out, "Exact: every block was noted.");
    }
    if (profile->lost != 0) {
        text_printf(out, " %s samples found no room.", units_count(profile->lost).chars);
    }
}

/* The innermost functions of a stack, one below the other. */
static void put_nearest(struct table *table, const char *path)
{
    const char *end = path + strlen(path);
    const unsigned width = text_width();
    const size_t columns = width == 0                           ? SIZE_MAX
                           : width < BEFORE_NAME + NAME_COLUMNS ? NAME_COLUMNS
                                                                : width - BEFORE_NAME;
    for (unsigned i = 0; i < SHOWN_FRAMES && end > path; i++) {
        const char *begin = end;
        while (begin > path && begin[-1] != '\n') {
            begin--;
        }
        if (i != 0) {
            for (unsigned column = 0; column < 4; column++) {
                table_cell(table, COLOUR_NONE, "%s", "");
            }
        }
        struct text name = {0};
        frame_name_put(&name, begin, (size_t)(end - begin), columns);
        table_cell(table, i == 0 ? COLOUR_NONE : COLOUR_DIM, "%s", text_string(&name));
        text_free(&name);
        end = begin > path ? begin - 1 : begin;
    }
}

static void put_table(struct text *out, const struct flame *flame, bool coloured)
{
    static const char *const heads[] = {"IN USE", "BLOCKS", "AT PEAK", "IN ALL", "ALLOCATED BY"};
    struct table table;
    text_printf(out, "%s\n", flame->program);
    for (const char *at = flame->facts; *at != 0; at++) { // a sentence a line
        const bool ends = at[0] == ' ' && at > flame->facts && at[-1] == '.';
        text_put_char(out, (char)(ends ? '\n' : *at));
    }
    text_put(out, "\n\n");
    table_init(&table, "rrrrl");
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        table_cell(&table, COLOUR_BOLD, "%s", heads[i]);
    }
    for (size_t i = 0; i < flame->count && i < SHOWN_ROWS; i++) {
        const struct flame_row *const row = &flame->rows[i];
        table_cell(&table, COLOUR_NONE, "%s", units_bytes(row->bytes[FLAME_IN_USE]).chars);
        table_cell(&table, COLOUR_NONE, "%s",
                   strcmp(row->path, BEFORE_PROFILE) == 0
                       ? "-"
                       : units_count(row->blocks[FLAME_IN_USE]).chars);
        table_cell(&table, COLOUR_NONE, "%s", units_bytes(row->bytes[FLAME_AT_PEAK]).chars);
        table_cell(&table, COLOUR_NONE, "%s", units_bytes(row->bytes[FLAME_IN_ALL]).chars);
        put_nearest(&table, row->path);
    }
    table_print(&table, out, coloured);
    if (flame->count > SHOWN_ROWS) {
        text_printf(out, "and %zu more; -o FILE.html shows all\n", flame->count - SHOWN_ROWS);
    }
}

/* In any form but that of the library. */
static void put_flame(struct text *out, const struct flame *flame, enum form form,
                      const struct heap_profile *profile, bool coloured)
{
    if (form == FORM_HTML) {
        flame_put_page(out, flame);
    } else if (form == FORM_FOLDED) {
        flame_put_folded(out, flame, FLAME_IN_USE);
    } else if (form == FORM_PPROF) {
        pprof_put(out, flame, profile->written, profile->bytes_per_sample);
    } else {
        put_table(out, flame, coloured);
    }
}

static bool put_form(struct text *out, const char *path, enum form form, bool coloured)
{
    struct heap_profile profile;
    struct rows rows;
    struct text facts = {0};
    if (!heap_profile_read(&profile, path)) {
        return false;
    }
    if (form == FORM_HEAP) {
        heap_profile_free(&profile);
        return text_read_path(out, path, HEAP_PROFILE_BYTES_MAX) == 0;
    }
    make_rows(&profile, &rows);
    qsort(rows.array, rows.count, sizeof(*rows.array), by_bytes);
    put_facts(&facts, &profile);
    const struct flame flame = {.program = profile.command,
                                .facts = text_string(&facts),
                                .rows = rows.array,
                                .count = rows.count};
    put_flame(out, &flame, form, &profile, coloured);
    text_free(&facts);
    free_rows(&rows);
    heap_profile_free(&profile);
    return true;
}

int profile_file_show(const struct options *options, const char *path)
{
    struct text out = {0};
    enum form form = FORM_TABLE;
    const char *const to = options->values[OPTION_OUTPUT];
    if (to != NULL) {
        form_of(to, &form);
    }
    const bool is_read = put_form(&out, path, form, options->is_coloured);
    if (is_read) {
        if (form != FORM_TABLE) {
            text_set_width(0);
        }
        text_write(&out, options->out);
    }
    text_free(&out);
    return is_read ? TOOL_OK : TOOL_NO;
}

int profile_file_convert(const char *path, const char *to)
{
    struct text out = {0};
    enum form form = FORM_TABLE;
    form_of(to, &form);
    const bool is_read = put_form(&out, path, form, false);
    if (is_read) {
        text_write_path(&out, to);
        tool_warn("the heap profile is in %s", to);
    }
    text_free(&out);
    return is_read ? TOOL_OK : TOOL_NO;
}

/* ---- two of them ---- */

struct change {
    const char *path;
    const struct flame_row *a, *b; // NULL: not there
    int64_t bytes;
};

static int by_change(const void *a, const void *b)
{
    const int64_t x = llabs(((const struct change *)a)->bytes);
    const int64_t y = llabs(((const struct change *)b)->bytes);
    return x > y ? -1 : x < y;
}

/* The changes between two arrays in the order of their paths. */
static size_t find_changes(const struct rows *a, const struct rows *b, struct change *changes)
{
    size_t count = 0;
    for (size_t i = 0, k = 0; i < a->count || k < b->count;) {
        const int order = i == a->count   ? 1
                          : k == b->count ? -1
                                          : strcmp(a->array[i].path, b->array[k].path);
        struct change change = {0};
        if (order <= 0) {
            change.a = &a->array[i++];
            change.path = change.a->path;
            change.bytes -= (int64_t)change.a->bytes[FLAME_IN_USE];
        }
        if (order >= 0) {
            change.b = &b->array[k++];
            change.path = change.b->path;
            change.bytes += (int64_t)change.b->bytes[FLAME_IN_USE];
        }
        if (change.bytes != 0) {
            changes[count++] = change;
        }
    }
    qsort(changes, count, sizeof(*changes), by_change);
    return count;
}

static void put_changes(struct text *out, const struct change *changes, size_t count, bool coloured)
{
    static const char *const heads[] = {"CHANGE", "A", "B", "BLOCKS", "ALLOCATED BY"};
    struct table table;
    if (count == 0) {
        text_put(out, "no stack holds more or less\n");
        return;
    }
    table_init(&table, "rrrrl");
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        table_cell(&table, COLOUR_BOLD, "%s", heads[i]);
    }
    for (size_t i = 0; i < count && i < SHOWN_ROWS; i++) {
        const struct change *const change = &changes[i];
        const int64_t blocks = (int64_t)(change->b != NULL ? change->b->blocks[FLAME_IN_USE] : 0) -
                               (int64_t)(change->a != NULL ? change->a->blocks[FLAME_IN_USE] : 0);
        table_cell(&table, change->bytes < 0 ? COLOUR_GREEN : COLOUR_RED, "%c%s",
                   change->bytes < 0 ? '-' : '+',
                   units_bytes((uint64_t)llabs(change->bytes)).chars);
        table_cell(&table, COLOUR_NONE, "%s",
                   units_bytes(change->a != NULL ? change->a->bytes[FLAME_IN_USE] : 0).chars);
        table_cell(&table, COLOUR_NONE, "%s",
                   units_bytes(change->b != NULL ? change->b->bytes[FLAME_IN_USE] : 0).chars);
        table_cell(&table, COLOUR_NONE, "%c%s", blocks < 0 ? '-' : '+',
                   units_count((uint64_t)llabs(blocks)).chars);
        put_nearest(&table, change->path);
    }
    table_print(&table, out, coloured);
}

/* What grew: of each stack how much more B holds than A. */
static void put_growth(struct text *out, const struct change *changes, size_t count, enum form form,
                       const struct heap_profile *b)
{
    struct flame_row *const rows = tool_allocate((count + 1) * sizeof(*rows));
    struct flame flame = {.program = b->command,
                          .facts = "What grew from one profile to the other; what shrank is not "
                                   "shown.",
                          .rows = rows};
    for (size_t i = 0; i < count; i++) {
        if (changes[i].bytes <= 0) {
            continue;
        }
        struct flame_row row = *changes[i].b;
        for (unsigned kind = 0; changes[i].a != NULL && kind < FLAME_KINDS; kind++) {
            const struct flame_row *const a = changes[i].a;
            row.bytes[kind] -= a->bytes[kind] < row.bytes[kind] ? a->bytes[kind] : row.bytes[kind];
            row.blocks[kind] -=
                a->blocks[kind] < row.blocks[kind] ? a->blocks[kind] : row.blocks[kind];
        }
        rows[flame.count++] = row;
    }
    text_set_width(0);
    put_flame(out, &flame, form, b, false);
    free(rows);
}

void profile_file_check_comparison(const char *to)
{
    enum form form;
    profile_file_check_name(to);
    if (form_of(to, &form) && form == FORM_HEAP) {
        tool_die(TOOL_USAGE,
                 "%s: two profiles are no heap profile; want .html, .folded, .pb.gz or "
                 ".txt",
                 to);
    }
}

int profile_file_compare(const struct options *options, const char *a, const char *b)
{
    struct heap_profile profiles[2];
    struct rows rows[2];
    struct text out = {0};
    enum form form = FORM_TABLE;
    const char *const to = options->values[OPTION_OUTPUT];
    if (!heap_profile_read(&profiles[0], a)) {
        return TOOL_NO;
    }
    if (!heap_profile_read(&profiles[1], b)) {
        heap_profile_free(&profiles[0]);
        return TOOL_NO;
    }
    for (size_t i = 0; i < 2; i++) {
        make_rows(&profiles[i], &rows[i]);
    }
    struct change *const changes =
        tool_allocate((rows[0].count + rows[1].count + 1) * sizeof(*changes));
    const size_t count = find_changes(&rows[0], &rows[1], changes);
    if (to != NULL && form_of(to, &form) && form != FORM_TABLE) {
        put_growth(&out, changes, count, form, &profiles[1]);
    } else {
        text_printf(&out, "In use: A is %s, B is %s\n\n", a, b);
        put_changes(&out, changes, count, options->is_coloured);
    }
    text_write(&out, options->out);
    text_free(&out);
    free(changes);
    for (size_t i = 0; i < 2; i++) {
        free_rows(&rows[i]);
        heap_profile_free(&profiles[i]);
    }
    return TOOL_OK;
}
