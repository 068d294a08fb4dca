/* occupancy.h - what lies where in a heap, cell by cell, as findings, as letters and as a picture.
 */
#ifndef CLI_RENDER_OCCUPANCY_H
#define CLI_RENDER_OCCUPANCY_H

#include "cli/procfs/live_page.h"

/* The first six are the library's states of a chunk; the others are pages of any program. */
enum cell_kind {
    CELL_CLEAN = MYALLOC_LIVE_CHUNK_CLEAN,
    CELL_DIRTY = MYALLOC_LIVE_CHUNK_DIRTY,
    CELL_SMALL = MYALLOC_LIVE_CHUNK_SMALL,
    CELL_MEDIUM = MYALLOC_LIVE_CHUNK_MEDIUM,
    CELL_LARGE = MYALLOC_LIVE_CHUNK_LARGE,
    CELL_FOREIGN = MYALLOC_LIVE_CHUNK_FOREIGN,
    CELL_ABSENT,
    CELL_RESIDENT,
    CELL_KINDS,
};

struct cell {
    uint8_t kind; // [const] enum cell_kind
    uint8_t fill; // [const] sixteenths in use, 1 .. 15; 0: not known
};

struct occupancy {
    uint64_t base;       // [const] address of the first cell
    uint64_t cell_bytes; // [const]
    size_t count;        // [const]
    struct cell *cells;  // [owner]
};

struct occupancy_findings {
    uint64_t bytes[CELL_KINDS]; // [const] per kind
    uint64_t free_span_bytes;   // [const] the longest span of free cells
    uint64_t free_below_pin;    // [const] bytes of free cells under the highest used one
    size_t pin;                 // [const] index of the highest used cell; `count` if none is used
};

/* The chunks of the library's first region. */
void occupancy_of_page(struct occupancy *occupancy, const struct myalloc_live *page);

/* The pages of a mapping, resident or not. Returns false if the kernel does not tell. */
bool occupancy_of_mapping(struct occupancy *occupancy, pid_t pid, const struct mapping *mapping);

void occupancy_free(struct occupancy *occupancy);

void occupancy_find(const struct occupancy *occupancy, struct occupancy_findings *findings);

/* Append the findings in sentences. */
void occupancy_put_findings(struct text *out, const struct occupancy *occupancy);

/* Append one letter per cell, 64 to the line, with a legend; larger heaps get larger cells. */
void occupancy_put_letters(struct text *out, const struct occupancy *occupancy, bool coloured);

/* Append the picture as a group of an SVG whose top left corner is (0, 0). Returns its height. */
unsigned occupancy_put_svg(struct text *out, const struct occupancy *occupancy);

/* The name of a kind in JSON: "dirty". */
const char *cell_kind_id(enum cell_kind kind);

#endif
