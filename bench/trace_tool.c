/*
 * trace_tool: looks at traces, and makes one for tests.
 *     trace_tool check TRACE               is it sound? prints what is in it
 *     trace_tool dump TRACE                every record as a line
 *     trace_tool gen FILE THREADS OPS SEED  writes a synthetic trace
 * Status: 0, 1 for a corrupt trace, 2 for wrong usage.
 */
#include "common.h"
#include "trace_plan.h"
#include "trace_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *op_name(unsigned op)
{
    static const char *const k_names[] = {"end",     "malloc", "calloc", "aligned",
                                          "realloc", "free",   "thread"};
    return k_names[op];
}

static int complain(const char *file_name, const struct trace *t)
{
    fprintf(stderr, "trace_tool: %s: %s\n", file_name, t->error);
    return 1;
}

static int run_check(const char *file_name)
{
    struct trace t;
    struct plan p;
    if (!trace_read(&t, file_name) || !plan_make(&p, &t)) {
        return complain(file_name, &t);
    }
    const struct trace_file_header *h = &t.header;
    printf("program %s, pid %u%s, %.3f s\n", h->command, h->pid, h->parent_pid ? " (forked)" : "",
           trace_seconds(&t, h->last_ticks));
    printf("%zu records in %zu segments (%zu open%s), %u threads, %u blocks, peak live %" PRIu64
           " KiB\n",
           t.record_count, t.segment_count, t.open_segment_count, t.is_cut ? ", file cut off" : "",
           p.thread_count, p.block_count, p.peak_live_bytes / KIB);
    printf("%zu frees of unknown blocks, %zu missing frees, %zu failed calls\n", p.dropped_frees,
           p.implied_frees, p.failed_calls);
    return 0;
}

static int run_dump(const char *file_name)
{
    struct trace t;
    bool good = trace_read(&t, file_name);
    for (size_t i = 0; i < t.record_count; i++) {
        const struct trace_record *r = &t.records[i];
        printf("%.9f thread %u %s", trace_seconds(&t, r->time), r->thread, op_name(r->op));
        if (r->op == TRACE_REALLOC) {
            printf(" %#" PRIx64, r->old_block << TRACE_BLOCK_SHIFT);
        }
        if (r->op != TRACE_FREE) {
            printf(" %" PRIu64 " bytes", r->size);
        }
        if (r->op == TRACE_ALIGNED) {
            printf(" to %" PRIu64, UINT64_C(1) << r->alignment_log2);
        }
        printf("%s %#" PRIx64 "\n", r->op == TRACE_FREE ? "" : " ->",
               r->block << TRACE_BLOCK_SHIFT);
    }
    return good ? 0 : complain(file_name, &t);
}

int main(int argc, char **argv)
{
    g_bench.name = "trace_tool";
    if (argc == 3 && strcmp(argv[1], "check") == 0) {
        return run_check(argv[2]);
    }
    if (argc == 3 && strcmp(argv[1], "dump") == 0) {
        return run_dump(argv[2]);
    }
    if (argc == 6 && strcmp(argv[1], "gen") == 0) {
        struct trace_shape shape = {(uint32_t)strtoul(argv[3], NULL, 10),
                                    strtoul(argv[4], NULL, 10)};
        g_bench.seed = strtoull(argv[5], NULL, 10);
        if (shape.thread_count >= 1 && shape.thread_count <= 1024) {
            trace_write_synthetic(argv[2], &shape);
            return 0;
        }
    }
    fprintf(stderr, "usage: trace_tool check|dump TRACE, trace_tool gen FILE THREADS OPS SEED\n");
    return 2;
}
