/* machine.h - the machine that the explorer runs: included ahead of every source. A thread pointer
 * for each coroutine, and behind it the area that the kernel would know. */
#ifndef MODEL_MACHINE_H
#define MODEL_MACHINE_H

void *machine_self(void);

#define __builtin_thread_pointer() machine_self()
#define __rseq_offset              machine_rseq_offset
#define __rseq_size                machine_rseq_size

#endif
