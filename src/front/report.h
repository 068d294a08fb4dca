/* report.h - mallinfo and its kin: what the heap is doing, for the program itself. Any thread. */
#ifndef FRONT_REPORT_H
#define FRONT_REPORT_H

#include <malloc.h>
#include <stdio.h>

struct myalloc_stats;
void report_fill(struct myalloc_stats *stats);
// What callers built with another version of a structure get of it: 0, or -1 without a place.
int report_copy(void *to, size_t to_bytes, const void *from, size_t from_bytes);

struct mallinfo2 api_mallinfo2(void);
struct mallinfo api_mallinfo(void); // saturates at INT_MAX
int api_malloc_info(int options, FILE *stream);
void api_malloc_stats(void); // to stderr

#endif
