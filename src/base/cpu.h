/* cpu.h - everything that depends on the kind of CPU. x86-64 and aarch64 have restartable
 * sequences; every other 64-bit CPU uses plain C: slots per thread, no fast path, no vfork.
 */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#define CPU_NAME          "64-bit x86"
#define CPU_ELF_MACHINE   62 // EM_X86_64
#define CPU_RSEQ_HEADER   "core/rseq_x86_64.h"
#define CPU_HAS_SEQUENCES 1
#define CPU_ADDRESS_BITS  47 // of a process, unless it requests more by a hint
#elif defined(__aarch64__)
#define CPU_NAME          "64-bit ARM"
#define CPU_ELF_MACHINE   183 // EM_AARCH64
#define CPU_RSEQ_HEADER   "core/rseq_aarch64.h"
#define CPU_HAS_SEQUENCES 1
#define CPU_ADDRESS_BITS  48 // 39, 42 and 47 in some kernels
#else
#define CPU_NAME          "other"
#define CPU_ELF_MACHINE   0 // EM_NONE: not known
#define CPU_RSEQ_HEADER   "core/rseq_none.h"
#define CPU_HAS_SEQUENCES 0
#define CPU_ADDRESS_BITS  48
#endif

static_assert(sizeof(void *) == 8, "x86-64, aarch64; without sequences: other 64-bit CPUs");
static_assert(CPU_ADDRESS_BITS <= 48, "a list word has 16 bits beside the address");

// number >= *limit, relaxed. On x86-64, loading and comparing take one instruction, but compilers
// do not fuse an atomic load; the fast paths are counted in instructions.
static inline bool cpu_reaches(size_t number, const _Atomic(size_t) *limit)
{
#if defined(__x86_64__)
    bool reaches;
    __asm__("cmpq %[limit], %[number]"
            : "=@ccae"(reaches)
            : [number] "r"(number), [limit] "m"(*limit));
    return reaches;
#else
    return number >= atomic_load_explicit(limit, memory_order_relaxed);
#endif
}

// The stack pointer, as a measure of the stack depth.
static inline const void *cpu_stack(void)
{
#if defined(__x86_64__)
    const void *stack;
    __asm__("movq %%rsp, %0" : "=r"(stack));
    return stack;
#elif defined(__aarch64__)
    const void *stack;
    __asm__("mov %0, sp" : "=r"(stack));
    return stack;
#else
    return __builtin_frame_address(0);
#endif
}

// Makes the page of a byte resident and writable, without changing the byte. One instruction that
// reads and writes causes one page fault; reading first and then writing would cause two.
static inline void cpu_touch(char *byte)
{
#if defined(__x86_64__)
    __asm__ volatile("orb $0, %0" : "+m"(*byte));
#else
    (void)byte;                           // no such instruction, so nothing gained
#endif
}

// A pause in a spin loop.
static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); // `yield` mostly does nothing; this waits about 10 ns
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

// Stores the registers from which a stack walk begins, in this function: only those that calls
// preserve.
#if defined(__x86_64__)
#define CPU_HAS_UNWIND_ROWS 1 // profile/cfi.c knows the registers
#define CPU_LOOK_AT_REGISTERS(registers)                                                           \
    __asm__ volatile("mov %%rbx, 24(%0)\n"                                                         \
                     "mov %%rbp, 48(%0)\n"                                                         \
                     "mov %%rsp, 56(%0)\n"                                                         \
                     "mov %%r12, 96(%0)\n"                                                         \
                     "mov %%r13, 104(%0)\n"                                                        \
                     "mov %%r14, 112(%0)\n"                                                        \
                     "mov %%r15, 120(%0)\n"                                                        \
                     "lea 0(%%rip), %%rax\n"                                                       \
                     "mov %%rax, 128(%0)\n"                                                        \
                     :                                                                             \
                     : "r"(registers)                                                              \
                     : "rax", "memory")
#else
#define CPU_HAS_UNWIND_ROWS 0 // only the frame pointer, under the same numbers
#define CPU_LOOK_AT_REGISTERS(registers)                                                           \
    ((registers)[6] = (registers)[7] = (uintptr_t)__builtin_frame_address(0), (registers)[16] = 1)
#endif

#endif
