/* report.c - mallinfo, malloc_info, malloc_stats, in glibc's forms.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      none held while it prints: stdio may allocate.
 * Invariants: REPORT-1  uordblks + fordblks == arena, as glibc's readers expect.
 */
#include "front/report.h"

#include "pages/huge.h"
#include "pages/span.h"
#include "base/config.h"
#include "core/census.h"
#include "front/mode.h"
#include "base/symbol.h"
#include "core/size_class.h"
#include "myalloc.h"
#include "front/start.h"
#include "core/thread.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

struct snapshot {
    struct census census;
    struct span_stats span;
    struct huge_stats huge;
    size_t system_bytes; // in the region
    size_t live_bytes;   // in the region, pools as a whole
    size_t end_bytes;    // free at the end of the region
};

static void take_snapshot(struct snapshot *snapshot)
{
    *snapshot = (struct snapshot){.system_bytes = 0};
    if (start_once() != START_SERVING) {
        return;
    }
    bool was_inside = thread_enter_bare();
    census_take(&snapshot->census);
    mode_count(&snapshot->census);
    thread_leave_bare(was_inside);
    snapshot->span = span_stats();
    snapshot->huge = huge_stats();
    size_t quarantined;
    size_t quarantined_bytes;
    mode_count_quarantined(&quarantined, &quarantined_bytes);
    snapshot->huge.live_blocks -= quarantined;
    snapshot->huge.live_bytes -= quarantined_bytes;
    snapshot->huge.cached_bytes += quarantined_bytes;
    snapshot->system_bytes = snapshot->span.region.break_bytes + snapshot->span.region.map_bytes;
    snapshot->live_bytes = census_live_bytes(&snapshot->census) + snapshot->census.pool_chunk_bytes;
    snapshot->end_bytes = span_end_free_bytes();
}

static size_t cached_bytes(const struct census *census)
{
    size_t cached = 0;
    for (unsigned i = 0; i < CLASSES; i++) {
        cached += census->classes[i].cached_blocks * size_class_bytes(i);
    }
    return cached;
}

void report_fill(struct myalloc_stats *stats)
{
    struct snapshot snapshot;
    take_snapshot(&snapshot);
    const struct span_stats *span = &snapshot.span;
    *stats = (struct myalloc_stats){
        .live = census_live_bytes(&snapshot.census) + snapshot.huge.live_bytes,
        .cached = cached_bytes(&snapshot.census),
        .free_dirty = span->dirty_chunks * CHUNK_BYTES,
        .free_clean = (span->free_chunks - span->dirty_chunks) * CHUNK_BYTES,
        .brk = span->region.break_bytes,
        .mapped = span->region.map_bytes,
        .region_peak = span->region.bytes_max,
        .huge = snapshot.huge.live_bytes,
        .huge_peak = snapshot.huge.live_bytes_max,
        .huge_cached = snapshot.huge.cached_bytes,
        .purged_total = span->purged_bytes,
        .brk_grows = span->region.grows,
        .brk_shrinks = span->region.shrinks,
        .pools = snapshot.census.pool_chunk_bytes,
    };
}

int report_copy(void *to, size_t to_bytes, const void *from, size_t from_bytes)
{
    if (to == NULL || to_bytes == 0) {
        return -1;
    }
    memset(to, 0, to_bytes);
    memcpy(to, from, min_size(to_bytes, from_bytes));
    return 0;
}

struct mallinfo2 api_mallinfo2(void)
{
    struct snapshot snapshot;
    take_snapshot(&snapshot);
    return (struct mallinfo2){
        .arena = snapshot.system_bytes,
        .ordblks = snapshot.span.free_spans,
        .hblks = snapshot.huge.live_blocks,
        .hblkhd = snapshot.huge.live_bytes,
        .fsmblks = cached_bytes(&snapshot.census),
        .uordblks = snapshot.live_bytes,
        .fordblks = snapshot.system_bytes - snapshot.live_bytes, // REPORT-1
        .keepcost = snapshot.end_bytes,
    };
}

static int saturate(size_t value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

struct mallinfo api_mallinfo(void)
{
    struct mallinfo2 info = api_mallinfo2();
    return (struct mallinfo){
        .arena = saturate(info.arena),
        .ordblks = saturate(info.ordblks),
        .hblks = saturate(info.hblks),
        .hblkhd = saturate(info.hblkhd),
        .fsmblks = saturate(info.fsmblks),
        .uordblks = saturate(info.uordblks),
        .fordblks = saturate(info.fordblks),
        .keepcost = saturate(info.keepcost),
    };
}

// As in glibc, total and count are of free memory: here, of blocks that wait in caches.
static void print_class(FILE *stream, const struct census_class *size_class, size_t bytes)
{
    if (size_class->slabs == 0 && size_class->handed == 0) {
        return;
    }
    fprintf(stream,
            "  <size from=\"%zu\" to=\"%zu\" total=\"%zu\" count=\"%zu\" live=\"%zu\" "
            "cached=\"%zu\" slabs=\"%zu\"/>\n",
            bytes, bytes, size_class->cached_blocks * bytes, size_class->cached_blocks,
            size_class->live_blocks, size_class->cached_blocks, size_class->slabs);
}

int api_malloc_info(int options, FILE *stream)
{
    if (options != 0) {
        return EINVAL;
    }
    struct snapshot snapshot;
    take_snapshot(&snapshot);
    const struct span_stats *span = &snapshot.span;
    fprintf(stream, "<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n");
    for (unsigned i = 0; i < CLASSES; i++) {
        print_class(stream, &snapshot.census.classes[i], size_class_bytes(i));
    }
    fprintf(stream, "</sizes>\n<total type=\"fast\" count=\"0\" size=\"0\"/>\n");
    fprintf(stream, "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n", span->free_spans,
            span->free_chunks * CHUNK_BYTES);
    fprintf(stream, "<total type=\"large\" count=\"%zu\" size=\"%zu\"/>\n",
            snapshot.census.large_blocks, snapshot.census.large_bytes);
    fprintf(stream,
            "<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n",
            snapshot.system_bytes, span->region.bytes_max);
    fprintf(stream, "</heap>\n<total type=\"live\" count=\"1\" size=\"%zu\"/>\n",
            snapshot.live_bytes);
    fprintf(stream, "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n",
            snapshot.huge.live_blocks, snapshot.huge.live_bytes);
    fprintf(stream, "<system type=\"current\" size=\"%zu\"/>\n",
            snapshot.system_bytes + snapshot.huge.live_bytes + snapshot.huge.cached_bytes);
    fprintf(stream, "</malloc>\n");
    return 0;
}

static void print_stats(void)
{
    struct snapshot snapshot;
    take_snapshot(&snapshot);
    size_t huge_bytes = snapshot.huge.live_bytes;
    fprintf(stderr, "Arena 0:\nsystem bytes     = %10zu\nin use bytes     = %10zu\n",
            snapshot.system_bytes, snapshot.live_bytes);
    fprintf(stderr, "Total (incl. mmap):\nsystem bytes     = %10zu\nin use bytes     = %10zu\n",
            snapshot.system_bytes + huge_bytes, snapshot.live_bytes + huge_bytes);
    fprintf(stderr, "max mmap regions = %10zu\nmax mmap bytes   = %10zu\n",
            snapshot.huge.live_blocks_max, snapshot.huge.live_bytes_max);
}

// stdio's write is a cancellation point; malloc_stats must not be one.
void api_malloc_stats(void)
{
    int (*set_state)(int, int *) = (int (*)(int, int *))symbol_of_libc("pthread_setcancelstate");
    int before = PTHREAD_CANCEL_ENABLE;
    if (set_state != NULL) {
        set_state(PTHREAD_CANCEL_DISABLE, &before);
    }
    print_stats();
    if (set_state != NULL) {
        set_state(before, NULL);
    }
}
