/* rseq_area.h - what glibc registered with the kernel for this thread, for programs that also run
 * where there is none. */
#ifndef TEST_SUPPORT_RSEQ_AREA_H
#define TEST_SUPPORT_RSEQ_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/harness.h"

#if defined(__aarch64__)
#define RSEQ_SIGNATURE 0xd428bc00U
#else
#define RSEQ_SIGNATURE 0x53053053U
#endif

/* As the kernel has it. */
struct rseq_area {
    uint32_t cpu_id_start;
    volatile int32_t cpu_id; // negative: not registered
    volatile uint64_t rseq_cs;
    uint32_t flags;
    uint32_t node_id;
    volatile uint32_t mm_cid;
};

struct rseq_descriptor {
    uint32_t version;
    uint32_t flags;
    uint64_t start;
    uint64_t bytes;
    uint64_t abort;
};

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* NULL: glibc has none. */
static inline struct rseq_area *rseq_area_of(uintptr_t thread_pointer)
{
    if (&__rseq_offset == NULL || &__rseq_size == NULL || __rseq_size == 0) {
        return NULL;
    }
    return (struct rseq_area *)(thread_pointer + (uintptr_t)__rseq_offset);
}

static inline struct rseq_area *rseq_area(void)
{
    return rseq_area_of((uintptr_t)__builtin_thread_pointer());
}

static inline bool rseq_is_registered(void)
{
    return rseq_area() != NULL && rseq_area()->cpu_id >= 0;
}

/* True when malloc of this thread is to work by restartable sequences. */
static inline bool library_uses_sequences(void)
{
    const char *options = getenv("MYALLOC_CONF");
    return harness_has_library() && rseq_is_registered() &&
           (options == NULL || strstr(options, "cpu_cache:thread") == NULL);
}

#endif
