/* page_fit.h - chooses the free span for a request: first fit, best fit, or segregated fit.
 *
 * Free spans are kept in bins by length. All functions require LOCK_PAGE_HEAP, held by span.c.
 */
#ifndef PAGES_PAGE_FIT_H
#define PAGES_PAGE_FIT_H

#include <stddef.h>

enum page_fit_policy {
    PAGE_FIT_FIRST,      // the lowest address that fits
    PAGE_FIT_BEST,       // the shortest that fits; among equals the lowest of the first few
    PAGE_FIT_SEGREGATED, // the newest of the first bin whose spans all fit
};

void page_fit_set_policy(enum page_fit_policy policy);

// The first entry of the span must hold its length.
void page_fit_insert(size_t index);
void page_fit_remove(size_t index);

// Finds a free span of at least `length` chunks, which stays in its bin. Best fit compares only a
// few spans per bin: 0 if there is none, or it is behind too many shorter ones.
size_t page_fit_find(size_t length);
// Searches the whole bin where such a span may be: takes time per span. For when memory is short.
size_t page_fit_find_hidden(size_t length);

#endif
