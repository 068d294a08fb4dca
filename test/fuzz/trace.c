/* trace.c - any file as a trace: it is read, planned, or refused with a sentence.
 *
 * The first byte says how the rest becomes a file: as it is, or behind a good header as segments
 * whose sums are right, since no fuzzer guesses a checksum.
 */
#include "trace_plan.h"
#include "trace_read.h"

#include "common.h"
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SEGMENT_BYTES = TRACE_SEGMENT_BYTES_MIN, SEGMENTS_MAX = 8, RECORDS_MAX = 1024 };

static size_t make_segments(unsigned char *file, struct choices *from)
{
    struct trace_file_header header = {.magic = TRACE_FILE_MAGIC,
                                       .version = TRACE_VERSION,
                                       .segment_bytes = SEGMENT_BYTES,
                                       .last_ticks = choose(from, 1),
                                       .last_ns = choose(from, 1)};
    size_t bytes = SEGMENT_BYTES;
    memcpy(file, &header, sizeof header);
    for (int i = 0; i < SEGMENTS_MAX && from->at < from->end; i++, bytes += SEGMENT_BYTES) {
        unsigned char *slot = file + bytes;
        struct trace_segment_header segment = {.magic = TRACE_SEGMENT_MAGIC};
        unsigned kind = choose(from, 1);
        size_t used = choose(from, 2) % RECORDS_MAX;
        segment.thread = kind >> 4;
        segment.start_ticks = choose(from, 1);
        size_t left = (size_t)(from->end - from->at);
        used = used < left ? used : left;
        memcpy(slot + sizeof segment, from->at, used);
        from->at += used;
        if (kind % 2 != 0) {
            segment.used_bytes = (uint32_t)used;
            segment.sum = trace_sum(slot + sizeof segment, segment.used_bytes);
        }
        memcpy(slot, &segment, kind % 16 == 2 ? 0 : sizeof segment);
    }
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static unsigned char file[SEGMENT_BYTES * (SEGMENTS_MAX + 1)];
    struct choices from = {data, data + bytes};
    char name[32];
    struct trace trace;
    struct plan plan;
    memset(file, 0, sizeof file);
    size_t file_bytes = 0;
    if (choose(&from, 1) % 2 == 0) {
        file_bytes = (size_t)(from.end - from.at);
        file_bytes = file_bytes < sizeof file ? file_bytes : sizeof file;
        memcpy(file, from.at, file_bytes);
    } else {
        file_bytes = make_segments(file, &from);
    }
    int fd = memfd_create("trace", MFD_CLOEXEC);
    REQUIRE(fd >= 0 && write(fd, file, file_bytes) == (ssize_t)file_bytes);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (!trace_read(&trace, name)) {
        REQUIRE(trace.error[0] != '\0');
    } else if (!plan_make(&plan, &trace)) {
        REQUIRE(trace.error[0] != '\0');
    } else {
        for (size_t i = 0; i < plan.op_count; i++) {
            REQUIRE(plan.ops[i].thread < plan.thread_count);
            REQUIRE(plan.ops[i].kind == PLAN_SPAWN || plan.ops[i].block <= plan.block_count);
        }
        plan_drop(&plan);
    }
    trace_close(&trace);
    close(fd);
    return 0;
}
