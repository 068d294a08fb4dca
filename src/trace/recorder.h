/* recorder.h - one record for each malloc-family call, from the slow paths. */
#ifndef TRACE_RECORDER_H
#define TRACE_RECORDER_H

#include "base/compiler.h"
#include "trace/record.h"
#include "trace/trace.h"

#include <stddef.h>

// After an allocation; `alignment` is for TRACE_ALIGNED only. NULL: it failed.
NOINLINE COLD void recorder_allocate(enum trace_op op, size_t bytes, size_t alignment,
                                     const void *ptr);
// Before a free.
NOINLINE COLD void recorder_free(const void *ptr);
// After a realloc of `old`, which began at `time`.
NOINLINE COLD void recorder_move(uint64_t time, size_t bytes, const void *old, const void *ptr);

#endif
