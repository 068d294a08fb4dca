/* statistics.h - statistics at exit (MYALLOC_CONF=stats), and the end of the live page. */
#ifndef FRONT_STATISTICS_H
#define FRONT_STATISTICS_H

// At startup: duplicates stderr to a descriptor that programs do not close.
void statistics_start(void);
// The process ends now, without its destructors: writes what they would have written. Returns at
// once if nothing was asked for, in a vfork child, and in a signal handler that interrupted us.
void statistics_end(void);
// The child of a fork reports its own numbers.
void statistics_postfork_child(void);

#endif
