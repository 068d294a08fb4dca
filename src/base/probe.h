/* probe.h - static probes as bpftrace, perf, SystemTap and gdb know them: a nop where one may be
 * set, and a note in the file that says where it is and which registers hold its arguments.
 *
 * The note is that of sys/sdt.h, version 3, written here so that nothing is needed to build. On
 * other CPUs there is none.
 */
#ifndef BASE_PROBE_H
#define BASE_PROBE_H

#include "base/cpu.h"

#include <stdint.h>

#if CPU_HAS_SEQUENCES
// The address in .stapsdt.base is where the linker put it: who reads a file that was moved later
// (prelink) sees by how much.
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

// otel_memory:alloc: a sampled block, the bytes that were asked for, and how many there are to a
// sample on average. A block stands for 1 / (1 - exp(-bytes / mean_bytes)) of its size.
static inline void probe_allocation(const void *ptr, uint64_t bytes, uint64_t mean_bytes)
{
    __asm__ volatile(PROBE_TEXT("otel_memory", "alloc", "8@%0 8@%1 8@%2")
                     :
                     : "r"(ptr), "r"(bytes), "r"(mean_bytes));
}

// otel_memory:free: a sampled block, before it is free.
static inline void probe_free(const void *ptr)
{
    __asm__ volatile(PROBE_TEXT("otel_memory", "free", "8@%0") : : "r"(ptr));
}

#endif
