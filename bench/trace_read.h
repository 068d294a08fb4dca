/*
 * trace_read: from a recorded file (src/trace/trace.h) to an array of its records.
 *
 * Owns nothing of the measured heap: all memory comes from bench_table, because the replayer runs
 * under the allocator that it measures.
 */
#ifndef BENCH_TRACE_READ_H
#define BENCH_TRACE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

struct trace_record {
    uint64_t time;     // ticks; for REALLOC: when it began
    uint64_t end_time; // REALLOC: when it returned; else = time
    uint64_t size;
    uint64_t block;     // address >> 4; 0: the call failed
    uint64_t old_block; // REALLOC only
    uint32_t thread;
    uint8_t op; // enum trace_op without END and THREAD
    uint8_t alignment_log2;
};

struct trace {
    struct trace_file_header header;
    struct trace_record *records; // in the order of the file: sorted within a segment only
    size_t record_count;
    size_t record_room;
    size_t segment_count;
    size_t open_segment_count; // the recorded program was killed or is still running
    bool is_cut;               // the file ends inside a segment
    char error[160];           // "" after success
};

// Reads a file ("-": standard input). False: t->error says what is wrong and where.
bool trace_read(struct trace *t, const char *file_name);
void trace_close(struct trace *t);

// Seconds of a tick count relative to the start of the trace.
double trace_seconds(const struct trace *t, uint64_t ticks);

#endif
