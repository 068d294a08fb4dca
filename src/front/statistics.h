/* statistics.h - the numbers at exit (MYALLOC_CONF=stats), and the end of the live page. */
#ifndef FRONT_STATISTICS_H
#define FRONT_STATISTICS_H

// At the start of the process: keeps a way to stderr that programs do not close.
void statistics_start(void);
// The process ends now, without its destructors: writes what they would. Returns at once where
// nothing was asked for, in a vfork child, and in a signal handler that interrupted us.
void statistics_end(void);
// The child of a fork has numbers of its own.
void statistics_postfork_child(void);

#endif
