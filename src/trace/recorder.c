/* recorder.c - one record for each malloc-family call.
 *
 * Owns:       nothing.
 * Threads:    any.
 * Locks:      takes none itself.
 * Invariants: RECORDER-1  a call that frees memory is stamped before it begins, one that allocates
 *                         memory after it has returned.
 *
 * The calls of a signal handler that interrupted a slow path are not recorded.
 */
#include "trace/recorder.h"

#include "base/check.h"
#include "base/bits.h"
#include "base/os.h"
#include "core/thread.h"

static void write_record(struct record *record)
{
    ASSERT(record->op != 0);
    ASSERT(record->time != 0);
    if (!thread_enter(t_thread.caller)) {
        return;
    }
    if (t_thread.record_thread == 0) {
        t_thread.record_thread = record_new_thread();
    }
    record->thread = t_thread.record_thread;
    record_write(record);
    thread_leave();
}

void recorder_allocate(enum trace_op op, size_t bytes, size_t alignment, const void *ptr)
{
    ASSERT(op != TRACE_FREE);
    ASSERT(is_pow2(alignment));
    write_record(&(struct record){
        .op = (uint8_t)op,
        .time = os_exact_ns(), // RECORDER-1
        .bytes = bytes,
        .alignment_shift = log2_floor(alignment),
        .block = ptr,
    });
}

void recorder_free(const void *ptr)
{
    if (ptr != NULL) {
        write_record(&(struct record){.op = TRACE_FREE, .time = os_exact_ns(), .block = ptr});
    }
}

void recorder_move(uint64_t time, size_t bytes, const void *old, const void *ptr)
{
    write_record(&(struct record){
        .op = TRACE_REALLOC,
        .time = time, // RECORDER-1
        .bytes = bytes,
        .block = old,
        .duration = os_exact_ns() - time,
        .new_block = ptr,
    });
}
