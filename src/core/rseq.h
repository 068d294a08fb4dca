/* rseq.h - what touches the slot of the CPU that runs us: restartable sequences.
 *
 * The kernel sends a thread that was preempted, moved or signalled inside of a sequence to its
 * abort address before it runs on [Linux: rseq(2)]. Each sequence ends in one store, the commit,
 * or has none. Nothing is locked. An abort is told as a miss, so that a thread that is stepped, or
 * signalled all the time, goes on by the slow path and does not turn round for ever.
 *
 * `area` is the rseq area of this thread, or a dummy whose id is -1 and so selects the empty slot,
 * which stands before all others: no list, no room. `g_slots.id_offset` tells where in the area
 * the number stands that selects the slot.
 *
 * Each kind of CPU has a header with the same functions; base/cpu.h chooses. Their twins in plain
 * C, for threads without an area, are in slot.h. scripts/check_sequences.sh reads what the
 * compiler made of them.
 *
 * Threads: any, also signal handlers.
 */
#ifndef CORE_RSEQ_H
#define CORE_RSEQ_H

#include "base/cpu.h"
#include "core/slot_data.h"

#include CPU_RSEQ_HEADER

// The slot that this thread would use now: a hint, it may move at any time.
static inline struct slot *rseq_slot(const char *area)
{
    int32_t id = *(const volatile int32_t *)(const void *)(area + g_slots.id_offset);
    return (struct slot *)(void *)(g_slots.first + ((ptrdiff_t)id << SLOT_SHIFT)); // NOLINT
}

#endif
