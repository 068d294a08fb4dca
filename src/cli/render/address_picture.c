/* address_picture.c - one row per thing that is mapped: the stack on top, the program at the
 * bottom.
 *
 * Owns:       the geometry of the picture.
 * Threads:    one.
 * Invariants: PICTURE-1  every region is in exactly one row.
 *             PICTURE-2  a row is as long as the logarithm of its size, since a stack and a reserve
 *                        of 64 GiB must both be seen; within a row, parts are to scale but for a
 *                        smallest width.
 */
#include "cli/render/address_picture.h"

#include "cli/render/occupancy.h"
#include "cli/render/svg.h"
#include "cli/tool.h"
#include "cli/render/units.h"

#include <stdlib.h>
#include <string.h>

#define WIDTH          900u
#define BAR_LEFT       124u
#define BAR_SHORTEST   24.0 // pixels of one page
#define BAR_LONGEST    430.0
#define PART_SHORTEST  4.0
#define ROW_HEIGHT     20u
#define LEGEND_WIDTH   258u          // three entries to the line
#define GAP_SHOWN      (64ull << 20) // shorter ones are no news: ASLR leaves them everywhere
#define KERNEL_HALF    (1ull << 63)
#define PAGE_BYTES     4096u
#define LETTER_WIDTH   7.0
#define NUMBERS_WIDTH  200.0 // of the sizes behind a name
#define NAME_BYTES_MAX 80

/* Neighbours that belong together: the parts of one file with its bss, or one stretch of memory. */
struct row {
    size_t first; // index of its lowest region
    size_t count;
    uint64_t bytes;
    uint64_t rss_bytes;
};

static bool belongs_to(const struct region *region, const struct region *below)
{
    if (below->mapping->end != region->mapping->start) {
        return false;
    }
    if (region->kind == REGION_BSS) {
        return below->kind == REGION_DATA;
    }
    const bool is_same = strcmp(region->mapping->path, below->mapping->path) == 0;
    return (is_same && below->kind != REGION_BSS) ||
           (region->kind == REGION_VDSO && below->kind == REGION_VDSO);
}

static struct row row_from(const struct region *regions, size_t count, size_t first)
{
    struct row row = {.first = first};
    do {
        const struct mapping *const m = regions[first + row.count].mapping;
        row.bytes += m->end - m->start;
        row.rss_bytes += m->rss_bytes;
        row.count++;
    } while (first + row.count < count && // PICTURE-1
             belongs_to(&regions[first + row.count], &regions[first + row.count - 1]));
    return row;
}

/* log2(value) * 16, by sixteenths between two powers. */
static unsigned log2_sixteenths(uint64_t value)
{
    unsigned power = 0;
    while (value >> power >= 2) {
        power++;
    }
    const uint64_t rest = value - (1ull << power);
    return power * 16 + (unsigned)(power >= 4 ? rest >> (power - 4) : rest << (4 - power));
}

/* PICTURE-2 */
static double bar_width(const struct row *row, uint64_t bytes_max)
{
    const unsigned least = log2_sixteenths(PAGE_BYTES);
    const unsigned most = log2_sixteenths(bytes_max);
    const unsigned own = log2_sixteenths(row->bytes);
    const double part = most > least && own > least ? (double)(own - least) / (most - least) : 0.0;
    const double width = BAR_SHORTEST + part * (BAR_LONGEST - BAR_SHORTEST);
    const double parts = PART_SHORTEST * (double)row->count;
    return width > parts ? width : parts < BAR_LONGEST ? parts : BAR_LONGEST;
}

static const char *row_name(const struct region *region)
{
    const char *const slash = strrchr(region->mapping->path, '/');
    if (region->mapping->path[0] == 0) {
        return region->kind == REGION_RESERVED ? "reserved" : region_kind_name(region->kind);
    }
    return slash != NULL && slash[1] != 0 ? slash + 1 : region->mapping->path;
}

/* A name that would leave the picture loses its middle. */
static void put_name(struct text *out, const char *name, double x)
{
    const size_t bytes = strlen(name);
    const double room = (WIDTH - x - NUMBERS_WIDTH) / LETTER_WIDTH;
    const size_t most = room < NAME_BYTES_MAX ? (size_t)room : NAME_BYTES_MAX;
    char cut[NAME_BYTES_MAX + 8];
    if (bytes > most) {
        snprintf(cut, sizeof(cut), "%.*s...%s", (int)most / 2, name, name + bytes - most / 2);
    }
    text_put_escaped(out, bytes > most ? cut : name);
}

/* Pale for its addresses; over that, as far as it is resident, the full colour. */
static void put_part(struct text *out, const struct region *region, double x, double width)
{
    const struct mapping *const m = region->mapping;
    const uint64_t bytes = m->end - m->start;
    const double resident = (double)m->rss_bytes / (double)bytes;
    const char *const style = region_kind_name(region->kind);
    text_put(out, "<g><title>");
    text_printf(out, "%llx-%llx %s %s, %s resident\n", (unsigned long long)m->start,
                (unsigned long long)m->end, m->permissions, units_bytes(bytes).chars,
                units_bytes(m->rss_bytes).chars);
    text_put_escaped(out, m->path);
    text_printf(out, "\n%s</title>", region->sentence);
    text_printf(out, "<rect class='k-%s pale' x='%.1f' y='0' width='%.1f' height='14'/>", style, x,
                width);
    if (m->rss_bytes != 0) {
        text_printf(out, "<rect class='k-%s' x='%.1f' y='0' width='%.1f' height='14'/>", style, x,
                    width * (resident < 1.0 ? resident : 1.0));
    }
    text_put(out, "</g>\n");
}

static void put_row(struct text *out, const struct region *regions, const struct row *row,
                    double width)
{
    const struct region *const first = &regions[row->first];
    const double to_scale = width - PART_SHORTEST * (double)row->count;
    double x = BAR_LEFT;
    text_printf(out, "<text class='quiet' x='%u' y='11' text-anchor='end'>%llx</text>",
                BAR_LEFT - 8, (unsigned long long)first->mapping->start);
    for (size_t i = 0; i < row->count; i++) {
        const struct mapping *const m = first[i].mapping;
        const double share = (double)(m->end - m->start) / (double)row->bytes;
        const double part =
            to_scale > 0.0 ? PART_SHORTEST + share * to_scale : width / (double)row->count;
        put_part(out, &first[i], x, part);
        x += part;
    }
    text_printf(out, "<text x='%.1f' y='11'>", x + 8);
    put_name(out, row_name(first), x);
    text_printf(out, "<tspan class='quiet' dx='8'>%s", units_bytes(row->bytes).chars);
    if (row->rss_bytes != 0) {
        text_printf(out, ", %s resident", units_bytes(row->rss_bytes).chars);
    }
    text_put(out, "</tspan></text>\n");
}

static void put_gap(struct text *out, uint64_t from, uint64_t bytes)
{
    const bool is_kernels = from < KERNEL_HALF && from + bytes > KERNEL_HALF;
    text_printf(out,
                "<line class='grid' stroke-dasharray='3 4' x1='%u' x2='%u' y1='7' y2='7'/>"
                "<text class='quiet' x='%u' y='11'>%s %s</text>\n",
                BAR_LEFT, BAR_LEFT + 110, BAR_LEFT + 118,
                is_kernels ? "the addresses of the" : units_bytes(bytes).chars,
                is_kernels ? "kernel" : "without a mapping");
}

/* The sums by kind. Returns the height. */
static unsigned put_legend(struct text *out, const struct region *regions, size_t count)
{
    unsigned shown = 0;
    for (int kind = 0; kind < REGION_KINDS; kind++) {
        uint64_t bytes = 0;
        uint64_t rss_bytes = 0;
        for (size_t i = 0; i < count; i++) {
            const struct mapping *const m = regions[i].mapping;
            bytes += (int)regions[i].kind == kind ? m->end - m->start : 0;
            rss_bytes += (int)regions[i].kind == kind ? m->rss_bytes : 0;
        }
        if (bytes == 0) {
            continue;
        }
        const char *const name = region_kind_name((enum region_kind)kind);
        const unsigned x = BAR_LEFT + shown % 3 * LEGEND_WIDTH;
        const unsigned y = shown / 3 * 20;
        text_printf(out, "<rect class='k-%s' x='%u' y='%u' width='11' height='11' rx='2'/>", name,
                    x, y);
        text_printf(out,
                    "<text x='%u' y='%u'>%s<tspan class='quiet' dx='6'>%s, %s resident</tspan>"
                    "</text>\n",
                    x + 17, y + 10, name, units_bytes(bytes).chars, units_bytes(rss_bytes).chars);
        shown++;
    }
    return (shown + 2) / 3 * 20;
}

/* From the highest row down. Returns the height. */
static unsigned put_rows(struct text *out, const struct region *regions, const struct row *rows,
                         size_t count)
{
    uint64_t bytes_max = 1;
    for (size_t i = 0; i < count; i++) {
        bytes_max = rows[i].bytes > bytes_max ? rows[i].bytes : bytes_max;
    }
    unsigned y = 0;
    for (size_t i = count; i-- > 0;) {
        const struct region *const lowest = &regions[rows[i].first];
        text_printf(out, "<g transform='translate(0 %u)'>", y);
        put_row(out, regions, &rows[i], bar_width(&rows[i], bytes_max));
        y += ROW_HEIGHT;
        const uint64_t below = i != 0 ? lowest[-1].mapping->end : lowest->mapping->start;
        if (lowest->mapping->start - below >= GAP_SHOWN) {
            text_printf(out, "</g><g transform='translate(0 %u)'>", y);
            put_gap(out, below, lowest->mapping->start - below);
            y += ROW_HEIGHT;
        }
        text_put(out, "</g>\n");
    }
    return y;
}

static void put_findings(struct text *notes, const struct myalloc_live *page)
{
    struct occupancy occupancy;
    struct text findings = {0};
    occupancy_of_page(&occupancy, page);
    occupancy_put_findings(&findings, &occupancy);
    text_put(notes, "<pre>");
    text_put_escaped(notes, text_string(&findings));
    text_put(notes, "</pre>\n");
    text_free(&findings);
    occupancy_free(&occupancy);
}

void address_picture_write(const struct target *target, const struct region *regions,
                           const char *path)
{
    const size_t count = target->mappings.count;
    struct row *const rows = tool_allocate(count * sizeof(*rows));
    size_t row_count = 0;
    for (size_t i = 0; i < count; i += rows[row_count++].count) {
        rows[row_count] = row_from(regions, count, i);
    }
    struct text body = {0};
    struct text svg = {0};
    struct text notes = {0};
    struct text title = {0};
    unsigned y = 50;
    text_printf(&body, "<g transform='translate(0 %u)'>\n", y);
    y += put_legend(&body, regions, count) + 26;
    text_printf(&body,
                "</g><text class='quiet' x='%u' y='%u'>Pale: addresses; full colour: resident. The "
                "length goes by the logarithm of the size.</text>\n",
                BAR_LEFT, y - 12);
    text_printf(&body, "<g transform='translate(0 %u)'>\n", y);
    y += put_rows(&body, regions, rows, row_count);
    text_put(&body, "</g>\n");
    text_printf(&title, "Address space of %s (pid %d)", target->process.name,
                (int)target->process.pid);
    svg_open(&svg, WIDTH, y + 16, text_string(&title));
    text_put(&svg, text_string(&body));
    svg_close(&svg);
    if (target->page != NULL) {
        put_findings(&notes, target->page);
    }
    svg_write_path(&svg, &notes, text_string(&title), path);
    text_free(&body);
    text_free(&svg);
    text_free(&notes);
    text_free(&title);
    free(rows);
}
