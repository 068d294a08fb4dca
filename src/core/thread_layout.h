/* thread_layout.h - offsets in struct thread for assembler code. */
#ifndef CORE_THREAD_LAYOUT_H
#define CORE_THREAD_LAYOUT_H

#define THREAD_FAST_AREA 0
#define THREAD_AREA      8
#define THREAD_IS_BOUND  40
#define THREAD_DUMMY     96

#endif
