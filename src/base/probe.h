/* probe.h - static probes (USDT) for bpftrace, perf, SystemTap and gdb: a nop where a probe may be
 * set, and an ELF note that records its address and the registers that hold its arguments.
 *
 * The note has the format of sys/sdt.h, version 3, written here to avoid a build dependency. Other
 * CPUs have no probes.
 */
#ifndef BASE_PROBE_H
#define BASE_PROBE_H

#include "base/cpu.h"

#include <stdint.h>

#if CPU_HAS_SEQUENCES
// The note records the link-time address of .stapsdt.base: a reader can tell by how much a file was
// relocated later (prelink).
#define PROBE_TEXT(provider, name, arguments)                                                      \
    "990: nop\n"                                                                                   \
    ".pushsection .note.stapsdt, \"?\", %%note\n"                                                  \
    ".balign 4\n"                                                                                  \
    ".4byte 992f - 991f, 994f - 993f, 3\n"                                                         \
    "991: .asciz \"stapsdt\"\n"                                                                    \
    "992: .balign 4\n"                                                                             \
    "993: .8byte 990b, _.stapsdt.base, 0\n"                                                        \
    ".asciz \"" provider "\", \"" name "\", \"" arguments "\"\n"                                   \
    "994: .balign 4\n"                                                                             \
    ".popsection\n"                                                                                \
    ".ifndef _.stapsdt.base\n"                                                                     \
    ".pushsection .stapsdt.base, \"aG\", %%progbits, .stapsdt.base, comdat\n"                      \
    ".weak _.stapsdt.base\n"                                                                       \
    ".hidden _.stapsdt.base\n"                                                                     \
    "_.stapsdt.base: .space 1\n"                                                                   \
    ".size _.stapsdt.base, 1\n"                                                                    \
    ".popsection\n"                                                                                \
    ".endif\n"
#else
#define PROBE_TEXT(provider, name, arguments) ""
#endif

// otel_memory:alloc: a sampled block, the bytes requested, and the mean number of bytes between
// samples. A block stands for 1 / (1 - exp(-bytes / mean_bytes)) of its size.
static inline void probe_allocation(const void *ptr, uint64_t bytes, uint64_t mean_bytes)
{
    __asm__ volatile(PROBE_TEXT("otel_memory", "alloc", "8@%0 8@%1 8@%2")
                     :
                     : "r"(ptr), "r"(bytes), "r"(mean_bytes));
}

// otel_memory:free: a sampled block, before it is freed.
static inline void probe_free(const void *ptr)
{
    __asm__ volatile(PROBE_TEXT("otel_memory", "free", "8@%0") : : "r"(ptr));
}

#endif
