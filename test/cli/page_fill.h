/* page_fill.h - a live page with known contents, made as the contract of myalloc_live.h says. */
#ifndef TEST_CLI_PAGE_FILL_H
#define TEST_CLI_PAGE_FILL_H

#include "myalloc_live.h"

/* Fill a zeroed page; the header's magic is stored last. */
void page_fill(struct myalloc_live *page, uint32_t pid, uint64_t started_ns);

/* Append an event as a writer of the library does. */
void page_add_event(struct myalloc_live *page, uint32_t kind, uint64_t time_ns, uint64_t bytes);

/* CLOCK_BOOTTIME. */
uint64_t page_now_ns(void);

#endif
