/* record.h - writes a trace of every malloc-family call: the file that trace/trace.h describes. */
#ifndef TRACE_RECORD_H
#define TRACE_RECORD_H

#include "base/compiler.h"
#include "base/lock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record {
    uint8_t op; // enum trace_op
    uint32_t thread;
    uint64_t time;
    size_t bytes;
    unsigned alignment_shift;
    const void *block;
    uint64_t duration;     // REALLOC
    const void *new_block; // REALLOC
};

extern HIDDEN _Atomic(bool) g_record_is_on;

static inline bool record_is_on(void)
{
    return UNLIKELY(atomic_load_explicit(&g_record_is_on, memory_order_relaxed));
}

// Creates the file; if that fails, recording stays off.
void record_start(const char *pattern);
// In the child of a fork: creates a file of its own.
void record_postfork_child(void);
// A number for a thread that writes its first record.
uint32_t record_new_thread(void);
// Any thread, inside a slow path. The records of a thread mostly go to one segment.
NOINLINE COLD void record_write(const struct record *record);

void record_each_lock(lock_visitor *visit); // for a fork

#endif
