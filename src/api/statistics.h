/* statistics.h - the numbers at exit (MYALLOC_CONF=stats), and the end of the live page. */
#ifndef API_STATISTICS_H
#define API_STATISTICS_H

// At the start of the process: keeps a way to stderr that programs do not close.
void statistics_start(void);

#endif
