/* regions.h - what each mapping of a process is. */
#ifndef CLI_PROCFS_REGIONS_H
#define CLI_PROCFS_REGIONS_H

#include "cli/procfs/live_page.h"
#include "cli/procfs/procfs.h"
#include "cli/render/table.h"

/* The groups in which people think of an address space. */
enum region_kind {
    REGION_TEXT,
    REGION_RODATA,
    REGION_DATA,
    REGION_BSS,
    REGION_HEAP,
    REGION_ANON,
    REGION_FILE,
    REGION_SHARED,
    REGION_STACK,
    REGION_RESERVED,
    REGION_VDSO,
    REGION_KINDS,
};

struct region {
    const struct mapping *mapping; // [const]
    enum region_kind kind;         // [const]
    const char *sentence;          // [const] what it is and where it comes from
};

/* Classify every mapping; `page` may be NULL.  Returns an array of mappings->count for free(). */
struct region *regions_classify(const struct mappings *mappings, const struct myalloc_live *page);

const char *region_kind_name(enum region_kind kind);
enum colour region_kind_colour(enum region_kind kind);

#endif
