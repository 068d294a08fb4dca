/* rseq_none.h - stubs for kinds of CPU without sequences: they always miss.
 *
 * Threads: any.
 */
#ifndef CORE_RSEQ_NONE_H
#define CORE_RSEQ_NONE_H

#include "core/slot_data.h"

#define RSEQ_POP_OR_MISS(area_, bin_, block_)                                                      \
    do {                                                                                           \
        (block_) = rseq_pop_class(area_, (unsigned)(bin_));                                        \
        goto miss;                                                                                 \
    } while (0)

static inline void *rseq_pop_class(const char *area, unsigned sc)
{
    (void)area;
    (void)sc;
    return NULL;
}

static inline bool rseq_push(const char *area, size_t bin, const void *block)
{
    (void)area;
    (void)bin;
    (void)block;
    return false;
}

static inline bool rseq_exchange(const char *area, size_t at, list_word list, const list_word *old)
{
    (void)area;
    (void)at;
    (void)list;
    (void)old;
    return false;
}

#endif
