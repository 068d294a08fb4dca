/*
 * trace_plan: from the records of a trace to what each thread has to do when it is replayed.
 *
 * The records of all threads are put into one order by time; addresses become block numbers, a new
 * one for each allocation, so that "this FREE needs that MALLOC" is a number and not an address
 * that was used many times. What a thread cannot have recorded is mended and counted: a FREE of an
 * unknown block is dropped, a MALLOC of an address still in use first frees the block there.
 * A thread is started by the thread whose record precedes its first one.
 */
#ifndef BENCH_TRACE_PLAN_H
#define BENCH_TRACE_PLAN_H

#include "trace_read.h"

enum plan_kind { PLAN_MALLOC, PLAN_CALLOC, PLAN_ALIGNED, PLAN_REALLOC, PLAN_FREE, PLAN_SPAWN };

struct plan_op {
    uint64_t size;
    uint32_t block;  // made or freed; SPAWN: the thread to start
    uint32_t source; // REALLOC: the block that ends
    uint32_t thread;
    uint8_t kind; // enum plan_kind
    uint8_t alignment_log2;
};

struct plan_thread {
    const struct plan_op *ops;
    size_t op_count;
};

struct plan {
    struct plan_op *ops; // grouped by thread
    struct plan_thread *threads;
    size_t op_count, op_room;
    uint32_t thread_count; // thread 0 is the one that runs first
    uint32_t block_count;
    uint64_t peak_live_bytes; // by the recorded order
    size_t dropped_frees;     // of blocks that the trace does not know
    size_t implied_frees;     // of blocks whose FREE is missing
    size_t failed_calls;      // allocations that failed when recorded; not repeated
};

// Makes the plan; false: t->error says why it cannot be done.
bool plan_make(struct plan *p, struct trace *t);
size_t plan_table_bytes(const struct plan *p); // resident bytes of the plan itself
void plan_drop(struct plan *p);

#endif
