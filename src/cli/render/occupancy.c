/* occupancy.c - the picture of a heap: why memory is, or is not, given back.
 *
 * Owns:       the cells of struct occupancy.
 * Threads:    one.
 * Invariants: OCCUPANCY-1  cells cover the range without gaps, lowest address first.
 *             OCCUPANCY-2  a cell of a coarser picture shows the kind that fills most of it; a tie
 *                          goes to the kind in use, since that is what pins the memory.
 */
#include "cli/render/occupancy.h"

#include "cli/render/table.h"
#include "cli/tool.h"
#include "cli/render/units.h"

#include <stdlib.h>
#include <string.h>

#define LINE_CELLS 64
#define LINES_MAX  32
#define PAGE_BYTES 4096u
#define SVG_CELL   12  // pixels from one cell to the next
#define SVG_LEFT   110 // room for the addresses

static const struct {
    const char *name;
    const char *pin; // as what keeps the break up; NULL: does not
    char letter;
    bool is_free;
    enum colour colour;
    const char *id;    // in JSON
    const char *style; // class of the style sheet in svg.c
} g_kinds[CELL_KINDS] = {
    [CELL_CLEAN] = {"free, given back", NULL, '.', true, COLOUR_DIM, "clean", "clean"},
    [CELL_DIRTY] = {"free, resident", NULL, ':', true, COLOUR_YELLOW, "dirty", "dirty"},
    [CELL_SMALL] = {"small blocks", "a slab of small blocks", 's', false, COLOUR_BLUE, "small",
                    "small"},
    [CELL_MEDIUM] = {"medium blocks", "a slab of medium blocks", 'm', false, COLOUR_GREEN, "medium",
                     "medium"},
    [CELL_LARGE] = {"large blocks", "a large block", 'L', false, COLOUR_MAGENTA, "large", "large"},
    [CELL_FOREIGN] = {"another sbrk", "memory of another sbrk", 'x', false, COLOUR_RED, "foreign",
                      "foreign"},
    [CELL_ABSENT] = {"not resident", NULL, '.', true, COLOUR_DIM, "absent", "clean"},
    [CELL_RESIDENT] = {"resident", "a resident page", '#', false, COLOUR_BLUE, "resident", "small"},
};

const char *cell_kind_id(enum cell_kind kind)
{
    return g_kinds[kind].id;
}

void occupancy_of_page(struct occupancy *occupancy, const struct myalloc_live *page)
{
    const struct myalloc_live_chunks *const chunks = &page->chunks;
    const uint64_t shift = chunks->shift;
    const uint64_t cells = (chunks->count + (1ull << shift) - 1) >> shift;
    *occupancy = (struct occupancy){
        .base = chunks->base,
        .cell_bytes = (uint64_t)page->header.chunk_bytes << shift,
        .count = cells < MYALLOC_LIVE_CHUNKS_MAX ? (size_t)cells : MYALLOC_LIVE_CHUNKS_MAX,
    };
    occupancy->cells = tool_allocate(occupancy->count * sizeof(struct cell));
    for (size_t i = 0; i < occupancy->count; i++) {
        const uint8_t byte = chunks->cells[i];
        const uint8_t state = byte & 15;
        occupancy->cells[i].kind = state <= MYALLOC_LIVE_CHUNK_FOREIGN ? state : CELL_FOREIGN;
        occupancy->cells[i].fill = byte >> 4;
    }
}

bool occupancy_of_mapping(struct occupancy *occupancy, pid_t pid, const struct mapping *mapping)
{
    *occupancy = (struct occupancy){
        .base = mapping->start,
        .cell_bytes = PAGE_BYTES,
        .count = (size_t)((mapping->end - mapping->start) / PAGE_BYTES),
    };
    uint8_t *const resident = procfs_resident_pages(pid, mapping->start, mapping->end);
    if (resident == NULL) {
        return false;
    }
    occupancy->cells = tool_allocate(occupancy->count * sizeof(struct cell));
    for (size_t i = 0; i < occupancy->count; i++) {
        const uint8_t kind = resident[i] != 0 ? CELL_RESIDENT : CELL_ABSENT;
        occupancy->cells[i] = (struct cell){.kind = kind};
    }
    free(resident);
    return true;
}

void occupancy_free(struct occupancy *occupancy)
{
    free(occupancy->cells);
    *occupancy = (struct occupancy){0};
}

void occupancy_find(const struct occupancy *occupancy, struct occupancy_findings *findings)
{
    *findings = (struct occupancy_findings){.pin = occupancy->count};
    uint64_t span_bytes = 0;
    uint64_t free_bytes = 0;
    for (size_t i = 0; i < occupancy->count; i++) {
        const uint8_t kind = occupancy->cells[i].kind;
        findings->bytes[kind] += occupancy->cell_bytes;
        if (g_kinds[kind].is_free) {
            span_bytes += occupancy->cell_bytes;
            free_bytes += occupancy->cell_bytes;
        } else {
            span_bytes = 0;
            findings->pin = i;
            findings->free_below_pin = free_bytes;
        }
        findings->free_span_bytes =
            span_bytes > findings->free_span_bytes ? span_bytes : findings->free_span_bytes;
    }
}

void occupancy_put_findings(struct text *out, const struct occupancy *occupancy)
{
    struct occupancy_findings findings;
    occupancy_find(occupancy, &findings);
    text_printf(
        out, "heap of %s from %llx:", units_bytes(occupancy->count * occupancy->cell_bytes).chars,
        (unsigned long long)occupancy->base);
    const char *separator = " ";
    for (int kind = 0; kind < CELL_KINDS; kind++) {
        if (findings.bytes[kind] != 0) {
            text_printf(out, "%s%s %s", separator, units_bytes(findings.bytes[kind]).chars,
                        g_kinds[kind].name);
            separator = "; ";
        }
    }
    text_printf(out, "\nlongest free span: %s\n", units_bytes(findings.free_span_bytes).chars);
    if (findings.pin == occupancy->count) {
        text_put(out, "nothing pins the top: the break could go down all the way\n");
        return;
    }
    const struct cell *const pin = &occupancy->cells[findings.pin];
    const uint64_t above = (occupancy->count - 1 - findings.pin) * occupancy->cell_bytes;
    const unsigned long long pin_address = occupancy->base + findings.pin * occupancy->cell_bytes;
    text_printf(out, "the top is pinned by %s at %llx", g_kinds[pin->kind].pin, pin_address);
    if (pin->fill != 0) {
        text_printf(out, " (%u/16 in use)", pin->fill);
    }
    text_printf(out, ": the break can go down by %s", units_bytes(above).chars);
    if (findings.free_below_pin != 0 && pin->kind != CELL_RESIDENT) {
        text_printf(out, "; the %s free below it can only be purged",
                    units_bytes(findings.free_below_pin).chars);
    }
    text_put_char(out, '\n');
}

/* OCCUPANCY-2: merge `step` cells into one. */
static struct cell merge(const struct occupancy *occupancy, size_t from, size_t step)
{
    size_t counts[CELL_KINDS] = {0};
    unsigned fill = 0;
    const size_t end = from + step < occupancy->count ? from + step : occupancy->count;
    for (size_t i = from; i < end; i++) {
        counts[occupancy->cells[i].kind]++;
        fill = occupancy->cells[i].fill > fill ? occupancy->cells[i].fill : fill;
    }
    unsigned best = 0;
    for (unsigned kind = 1; kind < CELL_KINDS; kind++) {
        const bool is_tie =
            counts[kind] == counts[best] && counts[kind] != 0 && !g_kinds[kind].is_free;
        best = counts[kind] > counts[best] || is_tie ? kind : best;
    }
    return (struct cell){.kind = (uint8_t)best, .fill = (uint8_t)fill};
}

static size_t step_of(const struct occupancy *occupancy)
{
    size_t step = 1;
    while (occupancy->count / step > (size_t)LINE_CELLS * LINES_MAX) {
        step *= 2;
    }
    return step;
}

static void put_legend(struct text *out, const struct occupancy *occupancy, bool coloured)
{
    struct occupancy_findings findings;
    occupancy_find(occupancy, &findings);
    text_printf(out,
                "one letter is %s:", units_bytes(occupancy->cell_bytes * step_of(occupancy)).chars);
    for (int kind = 0; kind < CELL_KINDS; kind++) {
        if (findings.bytes[kind] != 0) {
            char letter[8];
            snprintf(letter, sizeof(letter), "  %c ", g_kinds[kind].letter);
            table_put_coloured(out, coloured, g_kinds[kind].colour, letter);
            text_put(out, g_kinds[kind].name);
        }
    }
    text_put_char(out, '\n');
}

void occupancy_put_letters(struct text *out, const struct occupancy *occupancy, bool coloured)
{
    const size_t step = step_of(occupancy);
    put_legend(out, occupancy, coloured);
    for (size_t i = 0; i < occupancy->count; i += step) {
        const size_t column = i / step % LINE_CELLS;
        const unsigned long long address = occupancy->base + i * occupancy->cell_bytes;
        if (column == 0) {
            text_printf(out, "%s%012llx  ", i == 0 ? "" : "\n", address);
        }
        const struct cell cell = merge(occupancy, i, step);
        const char letter[2] = {g_kinds[cell.kind].letter, 0};
        table_put_coloured(out, coloured, g_kinds[cell.kind].colour, letter);
    }
    text_put_char(out, '\n');
}

/* Four entries to the line. Returns the height. */
static unsigned put_svg_legend(struct text *out, const struct occupancy *occupancy)
{
    struct occupancy_findings findings;
    occupancy_find(occupancy, &findings);
    unsigned count = 0;
    for (int kind = 0; kind < CELL_KINDS; kind++) {
        if (findings.bytes[kind] == 0) {
            continue;
        }
        const unsigned x = SVG_LEFT + count % 4 * 195;
        const unsigned y = count / 4 * 20;
        text_printf(out, "<rect class='%s' x='%u' y='%u' width='11' height='11' rx='2'/>",
                    g_kinds[kind].style, x, y + 1);
        text_printf(out, "<text x='%u' y='%u'>%s, %s</text>\n", x + 17, y + 11, g_kinds[kind].name,
                    units_bytes(findings.bytes[kind]).chars);
        count++;
    }
    const unsigned y = (count + 3) / 4 * 20;
    text_printf(out,
                "<text class='quiet' x='%d' y='%u'>One square is %s; the paler a slab, the less of "
                "it is in use.</text>\n",
                SVG_LEFT, y + 11, units_bytes(occupancy->cell_bytes * step_of(occupancy)).chars);
    return y + 16;
}

unsigned occupancy_put_svg(struct text *out, const struct occupancy *occupancy)
{
    const size_t step = step_of(occupancy);
    const unsigned top = put_svg_legend(out, occupancy) + 8;
    unsigned y = top;
    for (size_t i = 0; i < occupancy->count; i += step) {
        const unsigned column = (unsigned)(i / step % LINE_CELLS);
        y = top + SVG_CELL * (unsigned)(i / step / LINE_CELLS);
        const uint64_t address = occupancy->base + i * occupancy->cell_bytes;
        if (column == 0) {
            text_printf(out, "<text class='quiet' x='%u' y='%u' text-anchor='end'>%llx</text>",
                        SVG_LEFT - 8, y + 10, (unsigned long long)address);
        }
        const struct cell cell = merge(occupancy, i, step);
        const double opacity = cell.fill != 0 ? 0.25 + 0.05 * cell.fill : 1.0;
        text_printf(out,
                    "<rect class='%s' x='%u' y='%u' width='11' height='11' rx='2' opacity='%.2f'>"
                    "<title>%llx: %s",
                    g_kinds[cell.kind].style, SVG_LEFT + SVG_CELL * column, y, opacity,
                    (unsigned long long)address, g_kinds[cell.kind].name);
        if (cell.fill != 0) {
            text_printf(out, ", %u/16 in use", cell.fill);
        }
        text_put(out, "</title></rect>\n");
    }
    return y + SVG_CELL;
}
