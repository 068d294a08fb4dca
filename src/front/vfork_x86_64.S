/* vfork_x86_64.S - vfork, so that the child touches no per-CPU slot.
 *
 * The child shares the memory and the thread-locals of its parent, but the kernel restarts no
 * sequences for it. So the thread is detached from its rseq area first: fast paths of the child
 * miss, and its slow paths find no slot. The parent, which resumes when the child has left, is
 * bound again later. core/thread.c checks the offsets in struct thread.
 *
 * The child returns on the stack of the parent and overwrites the return address: a register keeps
 * it.
 */
#include "core/thread_layout.h"

#if defined(__x86_64__)
    .text
    .globl vfork
    .type vfork, @function
    .balign 16
vfork:
    .cfi_startproc
    movq t_thread@gottpoff(%rip), %rdx
    movq %fs:0, %rcx
    leaq THREAD_DUMMY(%rcx, %rdx), %rcx
    movq %rcx, %fs:THREAD_FAST_AREA(%rdx)
    movq $0, %fs:THREAD_AREA(%rdx)
    movb $1, %fs:THREAD_IS_BOUND(%rdx)
    popq %rdi
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rdi
    movl $58, %eax /* SYS_vfork; all registers but rax, rcx and r11 stay */
    syscall
    pushq %rdi
    .cfi_adjust_cfa_offset 8
    testq %rax, %rax
    jz 1f
    movb $0, %fs:THREAD_IS_BOUND(%rdx)
    js 2f
1:
    ret
2:
    negl %eax
    pushq %rax
    .cfi_adjust_cfa_offset 8
    call __errno_location@PLT
    popq %rcx
    .cfi_adjust_cfa_offset -8
    movl %ecx, (%rax)
    movq $-1, %rax
    ret
    .cfi_endproc
    .size vfork, . - vfork
#endif
    .section .note.GNU-stack, "", %progbits
