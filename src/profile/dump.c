/* dump.c - writes the profile.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      takes none itself; each site is copied under LOCK_PROFILE, and written without it.
 * Invariants: DUMP-1  a line that begins with a digit is one of the heap profile; ours begin
 *                     with '#'.
 *
 * The file: a header with the sums, then for each stack a line of raw samples, which jeprof and
 * pprof scale themselves, and one of ours with blocks and bytes scaled sample by sample: in use, at
 * the peak, allocated in all. Then the mappings, to resolve the addresses.
 */
#include "profile/dump.h"

#include "base/check.h"
#include "base/fatal.h"
#include "base/line.h"
#include "base/os.h"
#include "base/proc_maps.h"
#include "profile/profile.h"
#include "profile/sites.h"
#include "profile/unwind.h"

#include <stdbool.h>

#define LEAK_SITES  20U // reported in full
#define LEAK_FRAMES 12U

static int g_dump_error; // errno of a failed write; one thread writes at a time

static void note_error(int error)
{
    ASSERT(error >= 0);
    g_dump_error = error != 0 ? error : g_dump_error;
}

static void put(struct line *line, int fd)
{
    ASSERT(fd >= 0);
    note_error(line_write(line, fd));
    ASSERT(line->used == 0);
}

static uint64_t rounded(double number)
{
    return number < 0.5 ? 0 : (uint64_t)(number + 0.5);
}

static void add_sampled(struct line *line, const struct site_count *live,
                        const struct site_count *total)
{
    ASSERT(live->sampled_blocks <= total->sampled_blocks);
    line_add_number(line, live->sampled_blocks);
    line_add(line, ": ");
    line_add_number(line, live->sampled_bytes);
    line_add(line, " [");
    line_add_number(line, total->sampled_blocks);
    line_add(line, ": ");
    line_add_number(line, total->sampled_bytes);
    line_add(line, "] @");
}

static void add_pair(struct line *line, double blocks, double bytes)
{
    line_add(line, " ");
    line_add_number(line, rounded(blocks));
    line_add(line, " ");
    line_add_number(line, rounded(bytes));
}

static void add_counts(struct site_count *sum, const struct site_count *count)
{
    sum->sampled_blocks += count->sampled_blocks;
    sum->sampled_bytes += count->sampled_bytes;
}

static void write_fact(struct line *line, const char *name, uint64_t value, int fd)
{
    line_add(line, "# ");
    line_add(line, name);
    line_add(line, ": ");
    line_add_number(line, value);
    put(line, fd);
}

static void write_head(struct line *line, int fd, uint64_t before_bytes)
{
    ASSERT(line->used == 0);
    struct site site;
    struct site_count peak;
    struct site_count live = {.blocks = 0};
    struct site_count total = {.blocks = 0};
    for (uint32_t i = 0; profile_look(i, &site, &peak); i++) {
        add_counts(&live, &site.live);
        add_counts(&total, &site.total);
    }
    struct profile_facts profile = profile_facts();
    line_add(line, "heap profile: ");
    add_sampled(line, &live, &total);
    line_add(line, profile.mean_bytes > 1 ? " heap_v2/" : " heapprofile");
    if (profile.mean_bytes > 1) {
        line_add_number(line, profile.mean_bytes);
    }
    put(line, fd);
    line_add(line, "# myalloc profile: 1");
    put(line, fd);
    line_add(line, "# command: ");
    note_error(line_put(line, fd));
    note_error(proc_maps_copy_command(fd));
    put(line, fd);
    write_fact(line, "process", os_process_id(), fd);
    write_fact(line, "began", profile.began, fd);
    write_fact(line, "written", os_seconds(), fd);
    write_fact(line, "bytes per sample", profile.mean_bytes, fd);
    write_fact(line, "bytes from before", before_bytes, fd);
    write_fact(line, "samples without room", profile.lost, fd);
}

static void write_site(struct line *line, int fd, const struct site *site,
                       const struct site_count *peak)
{
    ASSERT(line->used == 0);
    ASSERT(site->total.sampled_blocks != 0);
    ASSERT(site->frame_count <= UNWIND_FRAMES_MAX);
    add_sampled(line, &site->live, &site->total);
    for (unsigned i = 0; i < site->frame_count; i++) {
        if (sizeof line->text - line->used < 24) {
            note_error(line_put(line, fd));
        }
        line_add(line, " ");
        line_add_hex(line, (uintptr_t)site->frames[i]);
    }
    if (site->frame_count == 0) {
        line_add(line, " 0x0");
    }
    put(line, fd);
    line_add(line, "#=");
    add_pair(line, site->live.blocks, site->live.bytes);
    add_pair(line, peak->blocks, peak->bytes);
    add_pair(line, site->total.blocks, site->total.bytes);
    put(line, fd);
}

int dump_write(int fd, uint64_t before_bytes)
{
    ASSERT(fd >= 0);
    struct line line = {.used = 0};
    struct site site;
    struct site_count peak;
    g_dump_error = 0;
    write_head(&line, fd, before_bytes);
    for (uint32_t i = 0; profile_look(i, &site, &peak); i++) {
        if (site.total.sampled_blocks != 0) {
            write_site(&line, fd, &site, &peak);
        }
    }
    put(&line, fd);
    line_add(&line, "MAPPED_LIBRARIES:");
    put(&line, fd);
    note_error(proc_maps_copy(fd));
    return g_dump_error;
}

// ---- leaks ----

// The site with most bytes in use among those with less than the previous one.
static bool find_next(double *bytes, uint32_t *number)
{
    struct site site;
    struct site_count peak;
    bool is_found = false;
    double most = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; profile_look(i, &site, &peak); i++) {
        bool is_behind = site.live.bytes < *bytes || (site.live.bytes <= *bytes && i > *number);
        if (is_behind && site.live.sampled_blocks != 0 && (!is_found || site.live.bytes > most)) {
            is_found = true;
            most = site.live.bytes;
            at = i;
        }
    }
    *bytes = most;
    *number = at;
    return is_found;
}

static void write_leak(struct line *line, int fd, const struct site *site)
{
    ASSERT(line->used == 0);
    ASSERT(site->frame_count <= UNWIND_FRAMES_MAX);
    line_add(line, "myalloc:   ");
    line_add_number(line, rounded(site->live.bytes));
    line_add(line, " bytes in ");
    line_add_number(line, rounded(site->live.blocks));
    line_add(line, " blocks, allocated by");
    line_write(line, fd);
    for (unsigned i = 0; i < site->frame_count && i < LEAK_FRAMES; i++) {
        line_add(line, "myalloc:     ");
        fatal_add_place(line, site->frames[i]);
        line_write(line, fd);
    }
    if (site->frame_count == 0) {
        line_add(line, "myalloc:     stacks that found no room in the table");
        line_write(line, fd);
    }
}

void dump_leaks(int fd)
{
    ASSERT(fd >= 0);
    struct line line = {.used = 0};
    struct site site;
    struct site_count peak;
    double blocks = 0;
    double bytes = 0;
    uint32_t sites = 0;
    for (uint32_t i = 0; profile_look(i, &site, &peak); i++) {
        blocks += site.live.blocks;
        bytes += site.live.bytes;
        sites += site.live.sampled_blocks != 0;
    }
    bool is_exact = profile_facts().mean_bytes <= 1;
    line_add(&line, "myalloc: in use at exit");
    line_add(&line, is_exact ? ": " : ", about: ");
    line_add_number(&line, rounded(bytes));
    line_add(&line, " bytes in ");
    line_add_number(&line, rounded(blocks));
    line_add(&line, " blocks, from ");
    line_add_number(&line, sites);
    line_add(&line, " places");
    line_write(&line, fd);
    ASSERT(sites <= SITES_MAX);
    double last = bytes + 1;
    uint32_t number = 0;
    for (unsigned n = 0; n < LEAK_SITES && find_next(&last, &number); n++) {
        if (profile_look(number, &site, &peak)) {
            write_leak(&line, fd, &site);
        }
    }
    if (sites > LEAK_SITES) {
        line_add(&line, "myalloc:   and less from ");
        line_add_number(&line, sites - LEAK_SITES);
        line_add(&line, " more places");
        line_write(&line, fd);
    }
}
