/* report.h - mallinfo and related functions: heap statistics for the program itself. Any thread. */
#ifndef FRONT_REPORT_H
#define FRONT_REPORT_H

#include <malloc.h>
#include <stdio.h>

struct myalloc_stats;
void report_fill(struct myalloc_stats *stats);
// Copies a structure to a caller that may have been built with another version of it; -1 if `to` is
// NULL or empty, else 0.
int report_copy(void *to, size_t to_bytes, const void *from, size_t from_bytes);

struct mallinfo2 api_mallinfo2(void);
struct mallinfo api_mallinfo(void); // saturates at INT_MAX
int api_malloc_info(int options, FILE *stream);
void api_malloc_stats(void); // to stderr

#endif
