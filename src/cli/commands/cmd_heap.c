/* cmd_heap.c - `myalloc heap PID`: size classes and the picture of the heap.
 *
 * Owns:       nothing.
 * Threads:    one.
 * Invariants: HEAP-1  any process gets a picture: under the library its chunks, else the pages
 *                     of [heap] that are resident, as the kernel tells.
 */
#include "cli/commands/commands.h"

#include "cli/render/json.h"
#include "cli/render/occupancy.h"
#include "cli/commands/summary.h"
#include "cli/render/svg.h"
#include "cli/commands/target.h"
#include "cli/tool.h"
#include "cli/render/units.h"

#include <string.h>

#define SVG_WIDTH 900u

static bool find_cells(const struct target *target, struct occupancy *occupancy)
{
    if (target->page != NULL) {
        occupancy_of_page(occupancy, target->page);
        return true;
    }
    for (size_t i = 0; i < target->mappings.count; i++) {
        const struct mapping *const mapping = &target->mappings.array[i];
        if (strcmp(mapping->path, "[heap]") == 0) {
            return occupancy_of_mapping(occupancy, target->process.pid, mapping);
        }
    }
    return false;
}

static void put_text(struct text *out, const struct target *target,
                     const struct occupancy *occupancy, bool coloured)
{
    text_printf(out, "%s (pid %d)%s", target->process.name, (int)target->process.pid,
                target->has_ended ? ", killed: this is the page that it left" : "");
    if (target->page != NULL) {
        const struct myalloc_live_counters *const c = &target->page->counters;
        text_printf(out, ": %s%s live in %s; of that %s in %s large, %s in %s huge\n",
                    target->look.is_still ? "" : "about ", units_bytes(c->live_bytes).chars,
                    units_of(c->live_blocks, "block", "blocks").chars,
                    units_bytes(c->large_bytes).chars, units_count(c->large_blocks).chars,
                    units_bytes(c->huge_bytes).chars, units_count(c->huge_blocks).chars);
        summary_put_age(out, target);
        text_put_char(out, '\n');
        summary_put_classes(out, target->page, &target->look, coloured);
        text_put_char(out, '\n');
        summary_put_reasons(out, target);
    } else {
        text_printf(out, ": %s, so this is the kernel's view of [heap]\n\n", target->no_page);
    }
    occupancy_put_letters(out, occupancy, coloured);
    text_put_char(out, '\n');
    occupancy_put_findings(out, occupancy);
}

/* What the kernel's view cannot tell. */
static void put_json_reasons(struct json *json, const struct target *target)
{
    struct reasons reasons;
    summary_find_reasons(&reasons, target);
    if (target->look.is_now) {
        json_number(json, "free_in_slabs_bytes", reasons.in_slabs);
        json_number(json, "cached_by_cpus_bytes", reasons.in_slots);
        json_number(json, "cached_in_depots_bytes", reasons.in_depots);
        json_number(json, "kept_mappings_bytes", target->look.kept_mapping);
        if (reasons.knows_trim) {
            json_number(json, "trim_bytes", reasons.trim_bytes);
        }
        json_number(json, "trim_bytes_min", reasons.trim_min);
        json_number(json, "trim_bytes_max", reasons.trim_max);
    }
}

static void put_json(struct text *out, const struct target *target,
                     const struct occupancy *occupancy)
{
    struct occupancy_findings findings;
    occupancy_find(occupancy, &findings);
    struct json json = {.out = out};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_number(&json, "pid", (uint64_t)target->process.pid);
    json_string(&json, "name", target->process.name);
    json_bool(&json, "has_page", target->page != NULL);
    json_bool(&json, "has_ended", target->has_ended);
    if (target->page != NULL) {
        put_json_reasons(&json, target);
        json_number(&json, "counted_ns", target->page->counters.counted_ns);
        json_number(&json, "live_bytes", target->page->counters.live_bytes);
        json_number(&json, "live_blocks", target->page->counters.live_blocks);
        json_bool(&json, "is_exact", target->look.is_now && target->look.is_still);
    }
    json_number(&json, "base", occupancy->base);
    json_number(&json, "bytes", occupancy->count * occupancy->cell_bytes);
    json_open(&json, "bytes_by_kind", '{');
    for (int kind = 0; kind < CELL_KINDS; kind++) {
        if (findings.bytes[kind] != 0) {
            json_number(&json, cell_kind_id((enum cell_kind)kind), findings.bytes[kind]);
        }
    }
    json_close(&json, '}');
    json_number(&json, "longest_free_span_bytes", findings.free_span_bytes);
    json_number(&json, "free_below_pin_bytes", findings.free_below_pin);
    if (findings.pin < occupancy->count) {
        json_number(&json, "pin_address", occupancy->base + findings.pin * occupancy->cell_bytes);
    }
    json_open(&json, "classes", '[');
    for (uint32_t i = 0; target->page != NULL && i < target->page->header.class_count; i++) {
        json_open(&json, NULL, '{');
        json_number(&json, "block_bytes", target->page->classes[i].block_bytes);
        json_number(&json, "slabs", target->page->classes[i].slabs);
        json_number(&json, "live_blocks", target->page->classes[i].live_blocks);
        if (target->look.is_now) {
            json_number(&json, "free_in_slabs", target->look.classes[i].at_home);
            json_number(&json, "cached",
                        target->look.classes[i].in_slots + target->look.classes[i].in_depots);
        }
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    text_put_char(out, '\n');
}

/* One bar per class with live blocks, as long as their bytes. Returns the height. */
static unsigned put_svg_classes(struct text *out, const struct myalloc_live *page)
{
    uint64_t most = 1;
    uint64_t idle_slabs = 0;
    for (uint32_t i = 0; i < page->header.class_count; i++) {
        const uint64_t bytes = page->classes[i].live_blocks * page->classes[i].block_bytes;
        most = bytes > most ? bytes : most;
    }
    unsigned y = 0;
    for (uint32_t i = 0; i < page->header.class_count; i++) {
        const struct myalloc_live_class *const size_class = &page->classes[i];
        const uint64_t bytes = size_class->live_blocks * size_class->block_bytes;
        if (bytes == 0) {
            idle_slabs += size_class->slabs;
            continue;
        }
        const double width = 1.0 + (double)bytes / (double)most * 560.0;
        text_printf(out, "<text x='102' y='%u' text-anchor='end'>%s</text>", y + 11,
                    units_bytes(size_class->block_bytes).chars);
        text_printf(out, "<rect class='%s' x='110' y='%u' width='%.1f' height='12' rx='2'/>",
                    size_class->tier == MYALLOC_LIVE_SMALL ? "small" : "medium", y, width);
        text_printf(out, "<text class='quiet' x='%.1f' y='%u'>%s in %s</text>\n", 118.0 + width,
                    y + 11, units_bytes(bytes).chars,
                    units_of(size_class->live_blocks, "block", "blocks").chars);
        y += 17;
    }
    if (idle_slabs != 0) {
        text_printf(out,
                    "<text class='quiet' x='110' y='%u'>%s slabs of other sizes hold no live "
                    "block</text>\n",
                    y + 11, units_count(idle_slabs).chars);
        y += 17;
    }
    return y;
}

static void write_svg(const struct target *target, const struct occupancy *occupancy,
                      const char *path)
{
    struct text title = {0};
    text_printf(&title, "Heap of %s (pid %d)", target->process.name, (int)target->process.pid);
    struct text body = {0};
    unsigned y = 48;
    text_printf(&body, "<g transform='translate(0 %u)'>\n", y);
    y += occupancy_put_svg(&body, occupancy) + 24;
    text_printf(&body, "</g>\n<g transform='translate(0 %u)'>\n", y);
    y += target->page != NULL ? put_svg_classes(&body, target->page) : 0;
    text_put(&body, "</g>\n");
    struct text svg = {0};
    svg_open(&svg, SVG_WIDTH, y + 20, text_string(&title));
    text_put(&svg, text_string(&body));
    svg_close(&svg);
    struct text notes = {0};
    text_put(&notes, "<pre>");
    struct text findings = {0};
    occupancy_put_findings(&findings, occupancy);
    text_put_escaped(&notes, text_string(&findings));
    text_put(&notes, "</pre>\n");
    svg_write_path(&svg, &notes, text_string(&title), path);
    text_free(&title);
    text_free(&body);
    text_free(&svg);
    text_free(&findings);
    text_free(&notes);
}

int cmd_heap(const struct options *options, char **words)
{
    struct target target;
    if (!target_open_left(&target, words[0])) {
        return TOOL_NO;
    }
    struct occupancy occupancy = {0};
    if (!find_cells(&target, &occupancy)) {
        tool_warn(
            "process %d shows no heap: %s, and the kernel tells of no [heap] that we may read",
            (int)target.process.pid, target.no_page);
        target_close(&target);
        return TOOL_NO;
    }
    struct text out = {0};
    if (option_is_given(options, OPTION_JSON)) {
        put_json(&out, &target, &occupancy);
    } else {
        put_text(&out, &target, &occupancy, options->is_coloured);
    }
    text_write(&out, options->out);
    if (options->values[OPTION_SVG] != NULL) {
        write_svg(&target, &occupancy, options->values[OPTION_SVG]);
    }
    text_free(&out);
    occupancy_free(&occupancy);
    target_close(&target);
    return TOOL_OK;
}
