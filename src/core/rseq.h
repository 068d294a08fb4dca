/* rseq.h - restartable sequences that access the slot of the current CPU.
 *
 * A thread that was preempted, migrated or signalled inside a sequence is resumed by the kernel at
 * the abort address [Linux: rseq(2)]. Each sequence ends in one store, the commit, or has none.
 * Nothing is locked. An abort is reported as a miss, so that a thread that is single-stepped or
 * signalled all the time makes progress in the slow path instead of retrying forever.
 *
 * `area` is the rseq area of this thread, or a dummy whose id is -1 and so selects the empty slot,
 * which precedes all others: it has no list and no room. `g_slots.id_offset` is the offset in the
 * area of the number that selects the slot.
 *
 * Each kind of CPU has a header with the same functions; base/cpu.h selects it. The equivalents in
 * plain C, for threads without an area, are in slot.h. scripts/check_sequences.sh checks what the
 * compiler made of them.
 *
 * Threads: any, also signal handlers.
 */
#ifndef CORE_RSEQ_H
#define CORE_RSEQ_H

#include "base/cpu.h"
#include "core/slot_data.h"

#include CPU_RSEQ_HEADER

// The slot that this thread would use now: a hint, as it may migrate at any time.
static inline struct slot *rseq_slot(const char *area)
{
    int32_t id = *(const volatile int32_t *)(const void *)(area + g_slots.id_offset);
    return (struct slot *)(void *)(g_slots.first + ((ptrdiff_t)id << SLOT_SHIFT)); // NOLINT
}

#endif
