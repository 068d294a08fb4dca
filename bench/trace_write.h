/*
 * trace_write: writes a synthetic trace, record by record as the library's recorder does, for tests
 * of the readers: all operations, several threads, blocks freed by other threads, addresses used
 * again, a segment handed from a thread to its successor, closed segments and open ones.
 */
#ifndef BENCH_TRACE_WRITE_H
#define BENCH_TRACE_WRITE_H

#include <stddef.h>
#include <stdint.h>

struct trace_shape {
    uint32_t thread_count; // alive at the same time; each is replaced by another half-way
    size_t operation_count;
};

void trace_write_synthetic(const char *file_name, const struct trace_shape *shape);

#endif
