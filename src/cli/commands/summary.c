/* summary.c - the numbers of a finished run in the order in which people ask for them.
 *
 * Owns:       the wording of the summary.
 * Threads:    one.
 * Invariants: SUMMARY-1  what the kernel counts (RSS, faults, time) is there with or without a
 *                        page.
 *             SUMMARY-2  fragmentation is 1 - peak of live bytes / bytes written to at that time.
 */
#include "cli/commands/summary.h"

#include "cli/render/json.h"
#include "cli/render/table.h"
#include "cli/tool.h"
#include "cli/render/units.h"

#include <string.h>
#include <sys/wait.h>

#define TOP_SIZES       5
#define SHARE_BYTES_MIN 1048576u // of less, whole pages are most

static uint64_t time_ns(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000000ull + (uint64_t)time->tv_usec * 1000ull;
}

static uint64_t peak_rss_bytes(const struct outcome *outcome)
{
    return (uint64_t)outcome->usage.ru_maxrss * 1024;
}

/* What had been written to when most was live; a page may claim anything, so never below that. A
 * program that maps much and writes little has a large heap, and a small one in memory. */
static uint64_t touched_at_peak(const struct myalloc_live_counters *counters)
{
    const uint64_t touched = counters->touched_bytes;
    const uint64_t live = counters->live_peak_bytes;
    return touched > live ? touched : live;
}

static void put_end(struct text *out, const char *name, const struct outcome *outcome)
{
    text_printf(out, "myalloc: %s (pid %d) ", name, (int)outcome->pid);
    if (WIFSIGNALED(outcome->status)) {
        const char *const signal_name = sigabbrev_np(WTERMSIG(outcome->status));
        text_printf(out, "killed by SIG%s", signal_name != NULL ? signal_name : "?");
    } else {
        text_printf(out, "exit %d", WEXITSTATUS(outcome->status));
    }
    text_printf(out, ", %s (user %s, system %s)\n", units_ns(outcome->elapsed_ns).chars,
                units_ns(time_ns(&outcome->usage.ru_utime)).chars,
                units_ns(time_ns(&outcome->usage.ru_stime)).chars);
}

/* "top sizes: 32 B 31% | 64 B 22%": the classes with the most allocations. */
static void put_top_sizes(struct text *out, const struct myalloc_live *page)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < page->header.class_count; i++) {
        all += page->classes[i].mallocs;
    }
    bool is_shown[MYALLOC_LIVE_CLASSES_MAX] = {false};
    const char *separator = "  top sizes: ";
    for (int rank = 0; rank < TOP_SIZES; rank++) {
        uint32_t best = MYALLOC_LIVE_CLASSES_MAX;
        for (uint32_t i = 0; i < page->header.class_count; i++) {
            const bool is_better = best == MYALLOC_LIVE_CLASSES_MAX ||
                                   page->classes[i].mallocs > page->classes[best].mallocs;
            best = !is_shown[i] && page->classes[i].mallocs != 0 && is_better ? i : best;
        }
        if (best == MYALLOC_LIVE_CLASSES_MAX) {
            break;
        }
        is_shown[best] = true;
        text_printf(out, "%s%s %s", separator, units_bytes(page->classes[best].block_bytes).chars,
                    units_share(page->classes[best].mallocs, all).chars);
        separator = " | ";
    }
    text_put(out, all != 0 ? "\n" : "");
}

static void put_calls(struct text *out, const struct myalloc_live_counters *c)
{
    text_printf(out, "  about %s malloc, %s free; %s large realloc", units_count(c->mallocs).chars,
                units_count(c->frees).chars, units_count(c->reallocs).chars);
    if (c->reallocs != 0) {
        text_printf(out, ", %s in place", units_share(c->reallocs_in_place, c->reallocs).chars);
    }
    text_printf(out, "\n  brk up %s times, down %s; mmap %s, munmap %s",
                units_count(c->brk_grows).chars, units_count(c->brk_shrinks).chars,
                units_count(c->mmaps).chars, units_count(c->munmaps).chars);
    text_printf(out, "\n  given back %s in %s, %s at the break\n",
                units_bytes(c->purged_bytes).chars, units_of(c->purges, "purge", "purges").chars,
                units_bytes(c->trimmed_bytes).chars);
}

static void put_heap(struct text *out, const struct myalloc_live *page)
{
    const struct myalloc_live_counters *const c = &page->counters;
    const uint64_t held = live_page_footprint(page);
    if (c->footprint_peak_bytes == 0) {
        text_put(out, "  no heap: the program asked for no memory\n");
        return;
    }
    text_printf(out, "  peak heap %s (brk %s, mmap %s)\n",
                units_bytes(c->footprint_peak_bytes).chars, units_bytes(c->brk_peak_bytes).chars,
                units_bytes(c->mmap_peak_bytes).chars);
    text_printf(out, "  peak live %s", units_bytes(c->live_peak_bytes).chars);
    const uint64_t touched = touched_at_peak(c);
    text_printf(out, " in %s written to", units_bytes(touched).chars);
    if (touched >= SHARE_BYTES_MIN) {
        text_printf(out, ": fragmentation %s",
                    units_share(touched - c->live_peak_bytes, touched).chars);
    }
    text_put_char(out, '\n');
    text_printf(out, "  end heap %s (%s of peak), of that free but resident %s\n",
                units_bytes(held).chars, units_share(held, c->footprint_peak_bytes).chars,
                units_bytes(c->dirty_free_bytes).chars);
    text_printf(out, "  live at exit %s in %s\n", units_bytes(c->live_bytes).chars,
                units_of(c->live_blocks, "block", "blocks").chars);
    put_calls(out, c);
    put_top_sizes(out, page);
}

void summary_put_classes(struct text *out, const struct myalloc_live *page, const struct look *look,
                         bool coloured)
{
    const bool has_look = look != NULL && look->is_now;
    const bool has_calls = look == NULL || look->has_history || !look->is_now;
    struct table table;
    table_init(&table, has_look && has_calls ? "rrrrrrl" : has_look ? "rrrrrl" : "rrrrl");
    static const char *const heads[] = {"BLOCK",  "SLABS",   "LIVE",      "FREE",
                                        "CACHED", "MALLOCS", "LIVE BYTES"};
    for (size_t i = 0; i < 7; i++) {
        if ((has_look || (i != 3 && i != 4)) && (has_calls || i != 5)) {
            table_cell(&table, COLOUR_BOLD, "%s", heads[i]);
        }
    }
    uint64_t most = 1;
    for (uint32_t i = 0; i < page->header.class_count; i++) {
        const uint64_t bytes = page->classes[i].live_blocks * page->classes[i].block_bytes;
        most = bytes > most ? bytes : most;
    }
    for (uint32_t i = 0; i < page->header.class_count; i++) {
        const struct myalloc_live_class *const size_class = &page->classes[i];
        if (size_class->mallocs == 0 && size_class->slabs == 0) {
            continue;
        }
        const uint64_t bytes = size_class->live_blocks * size_class->block_bytes;
        table_cell(&table, COLOUR_NONE, "%s", units_bytes(size_class->block_bytes).chars);
        table_cell(&table, COLOUR_NONE, "%s", units_count(size_class->slabs).chars);
        table_cell(&table, COLOUR_NONE, "%s", units_count(size_class->live_blocks).chars);
        if (has_look) {
            const struct look_class *const where = &look->classes[i];
            table_cell(&table, COLOUR_NONE, "%s", units_count(where->at_home).chars);
            table_cell(&table, COLOUR_NONE, "%s",
                       units_count(where->in_slots + where->in_depots).chars);
        }
        if (has_calls) {
            table_cell(&table, COLOUR_NONE, "%s", units_count(size_class->mallocs).chars);
        }
        table_bar(&table, size_class->tier == MYALLOC_LIVE_SMALL ? COLOUR_BLUE : COLOUR_GREEN,
                  (double)bytes / (double)most, units_bytes(bytes).chars);
    }
    table_print(&table, out, coloured);
}

#define OLD_NS 1000000000u // counts of this age are told

void summary_put_age(struct text *out, const struct target *target)
{
    const uint64_t counted = target->page->counters.counted_ns;
    const uint64_t now = tool_now_ns();
    if (target->look.is_now) {
        text_put(out, target->look.is_still
                          ? "counted just now, in its memory\n"
                          : "counted just now, in its memory, while it allocated and freed\n");
    } else if (counted != 0 && now > counted + OLD_NS) {
        text_printf(out, "counted by the process %s ago%s: what it did since is not seen\n",
                    units_ns(now - counted).chars,
                    target->has_ended ? "" : ", and its memory may not be read");
    }
}

void summary_find_reasons(struct reasons *reasons, const struct target *target)
{
    *reasons = (struct reasons){0};
    for (uint32_t i = 0; i < target->page->header.class_count; i++) {
        const struct look_class *const size_class = &target->look.classes[i];
        const uint64_t bytes = target->page->classes[i].block_bytes;
        reasons->in_slabs += size_class->at_home * bytes;
        reasons->in_slots += size_class->in_slots * bytes;
        reasons->in_depots += size_class->in_depots * bytes;
    }
    reasons->trim_min = target->page->counters.dirty_free_bytes + target->look.kept_mapping;
    reasons->trim_max =
        reasons->trim_min + reasons->in_slabs + reasons->in_slots + reasons->in_depots;
    reasons->knows_trim = target->look.is_now && look_trim(&target->process, &reasons->trim_bytes);
    reasons->trim_bytes += target->look.kept_mapping;
}

void summary_put_reasons(struct text *out, const struct target *target)
{
    if (!target->look.is_now) {
        return;
    }
    struct reasons reasons;
    summary_find_reasons(&reasons, target);
    const struct {
        uint64_t bytes;
        const char *sentence;
    } rows[] = {
        {reasons.in_slabs, "between blocks in use, in their slabs: FREE above"},
        {reasons.in_slots, "in the caches of CPUs, for their next malloc: CACHED above"},
        {reasons.in_depots, "in depots, for any CPU: CACHED above, too"},
        {target->page->counters.dirty_free_bytes, "in free spans, for the next slab"},
        {target->look.kept_mapping, "in mappings kept for the next huge block"},
    };
    text_put(out, "free, and yet resident:\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text_printf(out, "%10s  %s\n", units_bytes(rows[i].bytes).chars, rows[i].sentence);
    }
    text_printf(out, "malloc_trim would give back %s%s", target->look.is_still ? "" : "about ",
                units_bytes(reasons.knows_trim ? reasons.trim_bytes : reasons.trim_min).chars);
    if (!reasons.knows_trim && reasons.trim_max != reasons.trim_min) {
        text_printf(out, ", and of the rest the whole pages, at most %s",
                    units_bytes(reasons.trim_max - reasons.trim_min).chars);
    }
    text_put(out, "\n\n");
}

static void put_slots(struct text *out, const struct myalloc_live *page, bool coloured)
{
    struct table table;
    table_init(&table, "rrrr");
    static const char *const heads[] = {"CACHE", "FREE BLOCKS", "BYTES", "MALLOCS"};
    for (size_t i = 0; i < 4; i++) {
        table_cell(&table, COLOUR_BOLD, "%s", heads[i]);
    }
    for (size_t i = 0; i < MYALLOC_LIVE_SLOTS_MAX; i++) {
        const struct myalloc_live_slot *const slot = &page->slots[i];
        if (slot->is_used != 1) {
            continue;
        }
        table_cell(&table, COLOUR_NONE, "%u", (unsigned)slot->number);
        table_cell(&table, COLOUR_NONE, "%s", units_count(slot->cached_blocks).chars);
        table_cell(&table, COLOUR_NONE, "%s", units_bytes(slot->cached_bytes).chars);
        table_cell(&table, COLOUR_NONE, "%s", units_count(slot->mallocs).chars);
    }
    table_print(&table, out, coloured);
}

void summary_put(struct text *out, const char *name, const struct outcome *outcome,
                 const struct options *options)
{
    put_end(out, name, outcome);
    text_printf(out, "  peak RSS %s   page faults %s (%s from disk)\n",
                units_bytes(peak_rss_bytes(outcome)).chars,
                units_count((uint64_t)outcome->usage.ru_minflt).chars,
                units_count((uint64_t)outcome->usage.ru_majflt).chars);
    if (outcome->page == NULL) {
        text_printf(out, "  no view of the heap: %s\n", outcome->no_page);
        return;
    }
    put_heap(out, outcome->page);
    family_put(out, &outcome->family, options->is_coloured);
    if (option_is_given(options, OPTION_STATS)) {
        text_put_char(out, '\n');
        summary_put_classes(out, outcome->page, NULL, options->is_coloured);
        text_put_char(out, '\n');
        put_slots(out, outcome->page, options->is_coloured);
    }
}

void summary_put_comparison(struct text *out, const struct outcome *ours,
                            const struct outcome *theirs, bool coloured)
{
    const struct rusage *const a = &ours->usage;
    const struct rusage *const b = &theirs->usage;
    const struct {
        const char *name;
        uint64_t ours;
        uint64_t theirs;
        struct units (*unit)(uint64_t);
    } rows[] = {
        {"time", ours->elapsed_ns, theirs->elapsed_ns, units_ns},
        {"user", time_ns(&a->ru_utime), time_ns(&b->ru_utime), units_ns},
        {"system", time_ns(&a->ru_stime), time_ns(&b->ru_stime), units_ns},
        {"peak RSS", peak_rss_bytes(ours), peak_rss_bytes(theirs), units_bytes},
        {"page faults", (uint64_t)a->ru_minflt, (uint64_t)b->ru_minflt, units_count},
        {"from disk", (uint64_t)a->ru_majflt, (uint64_t)b->ru_majflt, units_count},
        {"switches", (uint64_t)(a->ru_nvcsw + a->ru_nivcsw), (uint64_t)(b->ru_nvcsw + b->ru_nivcsw),
         units_count},
    };
    struct table table;
    table_init(&table, "lrrr");
    static const char *const heads[] = {"", "MYALLOC", "WITHOUT", "RATIO"};
    for (size_t i = 0; i < 4; i++) {
        table_cell(&table, COLOUR_BOLD, "%s", heads[i]);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const double ratio =
            rows[i].theirs != 0 ? (double)rows[i].ours / (double)rows[i].theirs : 0.0;
        const enum colour colour = ratio <= 0.95   ? COLOUR_GREEN
                                   : ratio >= 1.05 ? COLOUR_RED
                                                   : COLOUR_NONE;
        table_cell(&table, COLOUR_NONE, "%s", rows[i].name);
        table_cell(&table, COLOUR_NONE, "%s", rows[i].unit(rows[i].ours).chars);
        table_cell(&table, COLOUR_NONE, "%s", rows[i].unit(rows[i].theirs).chars);
        if (rows[i].theirs != 0) {
            table_cell(&table, colour, "%.2f", ratio);
        } else {
            table_cell(&table, COLOUR_DIM, "-");
        }
    }
    table_print(&table, out, coloured);
}

static void json_outcome(struct json *json, const char *key, const struct outcome *outcome)
{
    json_open(json, key, '{');
    json_number(json, "pid", (uint64_t)outcome->pid);
    if (WIFSIGNALED(outcome->status)) {
        json_number(json, "signal", (uint64_t)WTERMSIG(outcome->status));
    } else {
        json_number(json, "exit", (uint64_t)WEXITSTATUS(outcome->status));
    }
    json_number(json, "elapsed_ns", outcome->elapsed_ns);
    json_number(json, "user_ns", time_ns(&outcome->usage.ru_utime));
    json_number(json, "system_ns", time_ns(&outcome->usage.ru_stime));
    json_number(json, "peak_rss_bytes", peak_rss_bytes(outcome));
    json_number(json, "faults", (uint64_t)outcome->usage.ru_minflt);
    json_number(json, "faults_from_disk", (uint64_t)outcome->usage.ru_majflt);
    json_close(json, '}');
}

static void json_page(struct json *json, const struct myalloc_live *page)
{
    const struct myalloc_live_counters *const c = &page->counters;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"live_bytes", c->live_bytes},
        {"live_peak_bytes", c->live_peak_bytes},
        {"touched_at_peak_bytes", touched_at_peak(c)},
        {"live_blocks", c->live_blocks},
        {"heap_bytes", live_page_footprint(page)},
        {"free_resident_bytes", c->dirty_free_bytes},
        {"heap_peak_bytes", c->footprint_peak_bytes},
        {"brk_peak_bytes", c->brk_peak_bytes},
        {"mmap_peak_bytes", c->mmap_peak_bytes},
        {"mallocs", c->mallocs},
        {"frees", c->frees},
        {"large_reallocs", c->reallocs},
        {"large_reallocs_in_place", c->reallocs_in_place},
        {"brk_grows", c->brk_grows},
        {"brk_shrinks", c->brk_shrinks},
        {"mmaps", c->mmaps},
        {"munmaps", c->munmaps},
        {"purges", c->purges},
        {"purged_bytes", c->purged_bytes},
        {"trimmed_bytes", c->trimmed_bytes},
    };
    json_open(json, "heap", '{');
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_number(json, rows[i].name, rows[i].value);
    }
    json_open(json, "classes", '[');
    for (uint32_t i = 0; i < page->header.class_count; i++) {
        json_open(json, NULL, '{');
        json_number(json, "block_bytes", page->classes[i].block_bytes);
        json_number(json, "slabs", page->classes[i].slabs);
        json_number(json, "live_blocks", page->classes[i].live_blocks);
        json_number(json, "mallocs", page->classes[i].mallocs);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

void summary_put_json(struct text *out, const char *name, const struct outcome *ours,
                      const struct outcome *theirs)
{
    struct json json = {.out = out};
    json_open(&json, NULL, '{');
    json_number(&json, "schema", 1);
    json_string(&json, "program", name);
    json_outcome(&json, "run", ours);
    if (theirs != NULL) {
        json_outcome(&json, "without", theirs);
    }
    family_put_json(&json, &ours->family);
    if (ours->page != NULL) {
        json_page(&json, ours->page);
    } else {
        json_string(&json, "no_heap", ours->no_page);
    }
    json_close(&json, '}');
    text_put_char(out, '\n');
}
