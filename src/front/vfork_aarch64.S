/* vfork_aarch64.S - vfork, so that the child touches no per-CPU slot; see vfork_x86_64.S.
 *
 * The return address is in a register of each, so the child cannot overwrite its parent's.
 */
#include "core/thread_layout.h"

#if defined(__aarch64__)
    .text
    .globl vfork
    .type vfork, %function
    .balign 16
vfork:
    .cfi_startproc
    hint #34 /* bti c */
    mrs x2, tpidr_el0
    adrp x3, :gottprel:t_thread
    ldr x3, [x3, :gottprel_lo12:t_thread]
    add x2, x2, x3
    add x3, x2, #THREAD_DUMMY
    str x3, [x2, #THREAD_FAST_AREA]
    str xzr, [x2, #THREAD_AREA]
    mov w3, #1
    strb w3, [x2, #THREAD_IS_BOUND]
    mov x0, #0x4111 /* CLONE_VM | CLONE_VFORK | SIGCHLD */
    mov x1, #0      /* the same stack */
    mov x8, #220    /* SYS_clone; all registers but x0 stay */
    svc #0
    cbz x0, 1f
    strb wzr, [x2, #THREAD_IS_BOUND]
    tbnz x0, #63, 2f
1:
    ret
2:
    stp x29, x30, [sp, #-32]!
    .cfi_def_cfa_offset 32
    .cfi_offset x29, -32
    .cfi_offset x30, -24
    str x0, [sp, #16]
    bl __errno_location
    ldr x1, [sp, #16]
    neg w1, w1
    str w1, [x0]
    mov x0, #-1
    ldp x29, x30, [sp], #32
    .cfi_restore x29
    .cfi_restore x30
    .cfi_def_cfa_offset 0
    ret
    .cfi_endproc
    .size vfork, . - vfork
#endif
    .section .note.GNU-stack, "", %progbits
