/* cmd_maps.c - `myalloc maps PID`: an address space for people.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: CMD_MAPS-1  the totals are those of smaps_rollup: every mapping is counted once.
 *             CMD_MAPS-2  a process that ends meanwhile gives one sentence and TOOL_NO, and no
 *                         half table.
 *             CMD_MAPS-3  --explain says each sentence once, where it first applies.
 */
#include "cli/commands/commands.h"

#include "cli/render/address_picture.h"
#include "cli/render/json.h"
#include "cli/render/occupancy.h"
#include "cli/procfs/regions.h"
#include "cli/commands/summary.h"
#include "cli/commands/target.h"
#include "cli/tool.h"
#include "cli/render/units.h"

#include <stdlib.h>
#include <string.h>

struct sums {
    uint64_t regions;
    uint64_t bytes;
    uint64_t rss_bytes;
    uint64_t pss_bytes;
    uint64_t private_dirty;
    uint64_t swap_bytes;
};

static void add(struct sums *sums, const struct mapping *m)
{
    sums->regions++;
    sums->bytes += m->end - m->start;
    sums->rss_bytes += m->rss_bytes;
    sums->pss_bytes += m->pss_bytes;
    sums->private_dirty += m->private_dirty;
    sums->swap_bytes += m->swap_bytes;
}

/* Totals per kind and, behind them, of all; the kernel rounds each mapping's PSS down, so the sum
 * of all comes from smaps_rollup where that is readable. */
static void sum_up(const struct target *target, const struct region *regions, struct sums *sums)
{
    for (size_t i = 0; i < target->mappings.count; i++) {
        add(&sums[regions[i].kind], regions[i].mapping);
        add(&sums[REGION_KINDS], regions[i].mapping);
    }
    struct text rollup = {0};
    if (procfs_read_of(&rollup, target->process.pid, "smaps_rollup") == 0 && rollup.bytes != 0) {
        sums[REGION_KINDS].pss_bytes = procfs_kib_line(text_string(&rollup), "Pss");
    }
    text_free(&rollup);
}

/* The variables behind a file's data belong to it, though no file holds them. */
static bool is_of_group(const struct region *regions, size_t i)
{
    return i != 0 && (strcmp(regions[i].mapping->path, regions[i - 1].mapping->path) == 0 ||
                      regions[i].kind == REGION_BSS);
}

/* CMD_MAPS-3: a sentence that an earlier region had. */
static bool is_told(const struct region *regions, size_t i)
{
    for (size_t earlier = 0; earlier < i; earlier++) {
        if (strcmp(regions[earlier].sentence, regions[i].sentence) == 0) {
            return true;
        }
    }
    return false;
}

static void put_regions(struct text *out, const struct target *target, const struct region *regions,
                        const struct options *options)
{
    struct table table;
    table_init(&table, "llrrl");
    static const char *const heads[] = {"  KIND", "ADDRESSES", "SIZE", "RSS", "PERM"};
    for (size_t i = 0; i < 5; i++) {
        table_cell(&table, COLOUR_BOLD, "%s", heads[i]);
    }
    for (size_t i = 0; i < target->mappings.count; i++) {
        const struct mapping *const m = regions[i].mapping;
        if (!is_of_group(regions, i)) {
            table_line(&table, COLOUR_NONE, m->path[0] != 0 ? m->path : "(no file)");
        }
        table_cell(&table, region_kind_colour(regions[i].kind), "  %s",
                   region_kind_name(regions[i].kind));
        table_cell(&table, COLOUR_NONE, "%012llx-%012llx", (unsigned long long)m->start,
                   (unsigned long long)m->end);
        table_cell(&table, COLOUR_NONE, "%s", units_bytes(m->end - m->start).chars);
        table_cell(&table, m->rss_bytes != 0 ? COLOUR_NONE : COLOUR_DIM, "%s",
                   target->mappings.has_smaps ? units_bytes(m->rss_bytes).chars : "?");
        table_cell(&table, COLOUR_DIM, "%s", m->permissions);
        if (option_is_given(options, OPTION_EXPLAIN) && !is_told(regions, i)) {
            struct text line = {0};
            text_printf(&line, "      %s", regions[i].sentence);
            table_line(&table, COLOUR_DIM, text_string(&line));
            text_free(&line);
        }
    }
    table_print(&table, out, options->is_coloured);
}

static void put_sums(struct text *out, const struct sums *sums, bool has_smaps, bool coloured)
{
    struct table table;
    table_init(&table, "lrrrrrr");
    static const char *const heads[] = {"KIND", "REGIONS", "SIZE", "RSS", "PSS", "DIRTY", "SWAP"};
    for (size_t i = 0; i < 7; i++) {
        table_cell(&table, COLOUR_BOLD, "%s", heads[i]);
    }
    for (int kind = 0; kind <= REGION_KINDS; kind++) {
        if (sums[kind].regions == 0 && kind != REGION_KINDS) {
            continue;
        }
        const bool is_total = kind == REGION_KINDS;
        const enum colour colour =
            is_total ? COLOUR_BOLD : region_kind_colour((enum region_kind)kind);
        table_cell(&table, colour, "%s",
                   is_total ? "total" : region_kind_name((enum region_kind)kind));
        table_cell(&table, COLOUR_NONE, "%llu", (unsigned long long)sums[kind].regions);
        table_cell(&table, COLOUR_NONE, "%s", units_bytes(sums[kind].bytes).chars);
        const uint64_t columns[] = {sums[kind].rss_bytes, sums[kind].pss_bytes,
                                    sums[kind].private_dirty, sums[kind].swap_bytes};
        for (size_t i = 0; i < 4; i++) {
            table_cell(&table, COLOUR_NONE, "%s", has_smaps ? units_bytes(columns[i]).chars : "?");
        }
    }
    table_print(&table, out, coloured);
}

static void put_json_numbers(struct json *json, const struct sums *sums)
{
    json_number(json, "size_bytes", sums->bytes);
    json_number(json, "rss_bytes", sums->rss_bytes);
    json_number(json, "pss_bytes", sums->pss_bytes);
    json_number(json, "private_dirty_bytes", sums->private_dirty);
    json_number(json, "swap_bytes", sums->swap_bytes);
}

static void put_json(struct text *out, const struct target *target, const struct region *regions,
                     const struct sums *sums)
{
    struct json json = {.out = out};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_number(&json, "pid", (uint64_t)target->process.pid);
    json_string(&json, "name", target->process.name);
    json_bool(&json, "has_rss", target->mappings.has_smaps);
    json_open(&json, "total", '{');
    put_json_numbers(&json, &sums[REGION_KINDS]);
    json_close(&json, '}');
    json_open(&json, "regions", '[');
    for (size_t i = 0; i < target->mappings.count; i++) {
        struct sums one = {0};
        add(&one, regions[i].mapping);
        json_open(&json, NULL, '{');
        json_string(&json, "kind", region_kind_name(regions[i].kind));
        json_number(&json, "start", regions[i].mapping->start);
        json_string(&json, "permissions", regions[i].mapping->permissions);
        json_string(&json, "path", regions[i].mapping->path);
        put_json_numbers(&json, &one);
        json_string(&json, "explanation", regions[i].sentence);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    text_put_char(out, '\n');
}

static void put_occupancy(struct text *out, const struct target *target)
{
    struct occupancy occupancy;
    occupancy_of_page(&occupancy, target->page);
    text_put_char(out, '\n');
    summary_put_age(out, target);
    occupancy_put_findings(out, &occupancy);
    occupancy_free(&occupancy);
}

int cmd_maps(const struct options *options, char **words)
{
    struct target target;
    if (!target_open(&target, words[0])) {
        return TOOL_NO;
    }
    struct region *const regions =
        regions_classify(&target.mappings, target.look.has_history ? target.page : NULL);
    struct sums sums[REGION_KINDS + 1] = {0};
    sum_up(&target, regions, sums);
    struct text out = {0};
    if (option_is_given(options, OPTION_JSON)) {
        put_json(&out, &target, regions, sums);
    } else {
        text_printf(&out, "%s (pid %d), %zu mappings\n\n", target.process.name,
                    (int)target.process.pid, target.mappings.count);
        put_sums(&out, sums, target.mappings.has_smaps, options->is_coloured);
        text_put_char(&out, '\n');
        put_regions(&out, &target, regions, options);
        if (target.page != NULL) {
            put_occupancy(&out, &target);
        }
    }
    text_write(&out, options->out);
    if (options->values[OPTION_SVG] != NULL) {
        address_picture_write(&target, regions, options->values[OPTION_SVG]);
    }
    text_free(&out);
    free(regions);
    target_close(&target);
    return TOOL_OK;
}
